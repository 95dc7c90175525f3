"""Drafts as a good model writes them, one a language; written for these tests by hand, not by a model."""

from recoup.drafts import Draft

GOOD: dict[str, Draft] = {
    "en": Draft(
        subject="Your payment to {company} is still open",
        body="Hi {first_name},\n\nwe could not collect {amount} for your subscription with {company}:\n\n{invoices}\n\n"
        "We will try again by ourselves. If you would rather use another payment method, you can do so here:\n\n{update_link}\n\n"
        "Thank you,\n{company}",
        sms="{company}: please have a look at your subscription here: {update_link}",
    ),
    "de": Draft(
        subject="Ihre Zahlung an {company} hat nicht geklappt",
        body="Hallo {first_name},\n\nwir konnten {amount} für Ihr Abonnement bei {company} nicht einziehen:\n\n{invoices}\n\n"
        "Wir versuchen es in den nächsten Tagen noch einmal. Wenn Sie lieber eine andere Zahlungsart verwenden, geht das hier:\n\n"
        "{update_link}\n\nVielen Dank,\n{company}",
        sms="{company}: Bitte sehen Sie kurz nach Ihrem Abonnement: {update_link}",
    ),
    "fr": Draft(
        subject="Votre paiement à {company} n’a pas abouti",
        body="Bonjour {first_name},\n\nnous n’avons pas pu encaisser {amount} pour votre abonnement chez {company} :\n\n{invoices}\n\n"
        "Nous ferons un nouvel essai dans les prochains jours. Vous pouvez aussi choisir un autre moyen de paiement ici :\n\n"
        "{update_link}\n\nMerci et à bientôt,\n{company}",
        sms="{company} : merci de jeter un œil à votre abonnement ici : {update_link}",
    ),
    "es": Draft(
        subject="Su pago a {company} no se ha completado",
        body="Hola, {first_name}:\n\nNo hemos podido cobrar {amount} por su suscripción a {company}:\n\n{invoices}\n\n"
        "Lo intentaremos de nuevo en los próximos días. Si prefiere usar otro método de pago, puede hacerlo aquí:\n\n"
        "{update_link}\n\nGracias,\n{company}",
        sms="{company}: por favor, revise su suscripción aquí: {update_link}",
    ),
    "pt": Draft(
        subject="Seu pagamento à {company} não foi concluído",
        body="Olá, {first_name}.\n\nNão conseguimos receber {amount} pela sua assinatura da {company}:\n\n{invoices}\n\n"
        "Vamos tentar de novo nos próximos dias. Se você preferir usar outra forma de pagamento, pode fazer isso aqui:\n\n"
        "{update_link}\n\nObrigado,\n{company}",
        sms="{company}: por favor, veja sua assinatura aqui: {update_link}",
    ),
}
