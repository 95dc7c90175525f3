"""The kernel: vocabulary, rules, lifecycle, gate and policy. Pure code that touches nothing outside itself."""
