# Tout ce que lit un bénévole, en français. Phrases courtes, chaleureuses, sans jargon.
# Les espaces insécables (avant ? ! : ; et dans les « ») sont mises par le programme : écrire des espaces ordinaires.

## La carte : description demandée

asked-title = 📦 Nouveau dépôt
asked-opening = Dites-moi ce que vous déposez : l'objet, le nombre, le poids si vous l'avez. Par exemple : « deux bouilloires, 3 kg ».
asked-voice-kept = 🎤 J'ai gardé votre message vocal, mais je n'ai pas pu l'écouter. Écrivez-moi quelques mots : l'objet, le nombre, le poids.
asked-nothing-heard = 🎤 Je n'ai entendu personne dans votre message vocal ; il est gardé. Redites-le plus près du micro, ou écrivez-moi l'objet, le nombre, le poids.
asked-photo-kept = 📷 Photo bien reçue. Qu'est-ce que c'est ? Quelques mots suffisent, avec le poids si vous l'avez.
asked-no-deposit = Je n'ai pas reconnu d'objet dans votre message. Pour un dépôt, dites l'objet, le nombre et le poids : « un fauteuil, 12 kg ». Pour le reste : /aide.
asked-emptied = La fiche est vide maintenant. Qu'est-ce que vous déposez ? Par exemple : « deux bouilloires, 3 kg ».
asked-not-understood = Je n'ai pas compris, mais j'ai tout gardé. Redites-le autrement, en quelques mots : « un fauteuil, 12 kg ».

## La carte : à valider

card-title = 📦 Votre dépôt : c'est bien ça ?
card-understanding = ⏳ Un instant, je lis votre message…
card-recording = ⏳ enregistrement…
card-recording-slow = C'est un peu long, mais votre choix est gardé : vous n'avez rien à refaire.
card-closing = ⏳ Un instant…
card-question = ❓ « { $object } » : dans quelle catégorie ?
card-question-line = ❓ Ligne { $line }, « { $object } » : dans quelle catégorie ?
card-ends-in-a-minute = ⏰ Sans réponse, la session se termine dans une minute.
card-ends-soon = ⏰ Sans réponse, la session se termine dans moins d'une minute.
card-photos = { $count ->
    [one] 📷 { $count } photo
   *[other] 📷 { $count } photos
}
card-recordings = { $count ->
    [one] 🎤 { $count } message vocal
   *[other] 🎤 { $count } messages vocaux
}
card-heard = 🎤 entendu : « { $text } »
card-total = Poids total : { $weight }
card-total-at-least = Poids total : au moins { $weight }

line-lot = lot
line-no-weight = poids non précisé
line-weight-in-total = compté dans le total
line-estimated = ≈ { $weight }
line-unnamed = objet
confidence-sure = sûr
confidence-to-check = à vérifier
confidence-unknown = je ne sais pas
confidence-confirmed = confirmé
confidence-corrected = corrigé
destination-magasin = magasin
destination-recyclage = recyclage
destination-dechetterie = déchetterie

notice-full = ✋ Ce dépôt est plein. Validez-le d'abord : votre dernier message ouvrira le suivant.
notice-voice-kept = 🎤 J'ai gardé votre message vocal, mais je n'ai pas pu l'écouter. Pour ajouter un objet, écrivez-le.
notice-nothing-heard = 🎤 Je n'ai entendu personne dans votre message vocal ; il est gardé. Redites-le plus près du micro, ou écrivez-le.
notice-photo-kept = 📷 Photo ajoutée.
notice-no-deposit = Je n'ai pas reconnu d'objet dans votre dernier message : aucune ligne ajoutée.
notice-not-understood = Je n'ai pas compris votre dernier message ; il est gardé. Redites-le autrement.
notice-resumed = ▶️ Votre brouillon est de retour.
done-renamed = { $line }. { $object } au lieu de « { $was } »
done-sorted = { $line }. { $object } : { $category }
done-changed = { $line }. { $object } : { $now } au lieu de { $was }
done-set = { $line }. { $object } : { $now }
done-added = { $line }. { $object } : nouvelle ligne
done-removed = { $object } : ligne enlevée
done-total = Poids total : { $weight }
done-more = et { $count } de plus
done-nothing = C'est déjà noté ainsi.
done-outdated = La fiche avait changé entre-temps : redites-moi ce qui manque.
unclear-which = ❓ Quelle ligne ? Répondez par son numéro, par exemple « la 2 ».
unclear-no-such-line = ❓ Je ne trouve pas cette ligne : dites-la avec son numéro, par exemple « enlève la 2 ».
unclear-what = ❓ Je n'ai rien changé : dites-moi la ligne et ce qu'il faut y mettre, par exemple « la 2 : 3 kg ».
unclear-everything = ❓ Pour tout abandonner, appuyez sur ❌ Annuler ; pour une seule ligne, dites son numéro.
unclear-total = ❓ Ce total ne va pas avec le poids des lignes : quelle ligne faut-il changer ?

## La carte : corriger

pick-line-title = ✏️ Quelle ligne voulez-vous corriger ?
groups-title = ✏️ « { $object } » : que faut-il corriger ?
groups-more = Choisissez une famille pour changer de catégorie, ou écrivez-moi la correction.
quantities-title = ✏️ « { $object } » : combien ?
weights-title = ✏️ « { $object } » : quel poids ?
weight-asked-title = ✏️ « { $object } » : quel poids ?
weight-asked = Écrivez-moi le poids de cette ligne, par exemple « 2,5 kg ».
destinations-title = ✏️ « { $object } » : pour où ?
categories-title = ✏️ « { $object } » : quelle catégorie ?
categories-page = { $group } · page { $page } sur { $pages }

## La carte : après

closed-completed = ✅ Dépôt n° { $number } enregistré
closed-completed-unnumbered = ✅ Dépôt enregistré
closed-thanks = Merci !
closed-cancelled = ❌ Dépôt abandonné
closed-cancelled-more = Rien n'a été enregistré.
closed-expired = ⌛ La session a expiré
closed-expired-more = Rien n'est perdu : le brouillon est gardé, vous pouvez le reprendre.
closed-failed = 🤔 Je n'ai pas su lire ce dépôt
closed-failed-more = Tout est gardé : un responsable va le regarder.
closed-reversed = ↩ Dépôt n° { $number } annulé
closed-reversed-unnumbered = ↩ Dépôt annulé
closed-open = Ce dépôt est encore en cours.

## Les boutons

button-validate = ✅ Valider
button-correct = ✏️ Corriger
button-cancel = ❌ Annuler
button-other = Autre…
button-back = ↩ Retour
button-quantity = 🔢 Quantité
button-weight = ⚖️ Poids
button-destination = 📍 Destination
button-remove = 🗑️ Enlever
button-lot = Par lot
button-other-weight = Autre poids…
button-no-weight = Sans poids
button-previous = ◀
button-next = ▶
button-undo = ↩ Annuler ce dépôt
button-resume = ▶️ Reprendre
button-ask-access = 🙋 Demander l'accès
button-accept = ✅ Accepter
button-refuse = ❌ Refuser

## Les réponses simples

say-welcome =
    👋 Bonjour ! Je note les dépôts de la ressourcerie.

    Dites-moi simplement ce que vous déposez, par exemple « deux bouilloires, 3 kg » : je prépare la fiche, vous appuyez sur ✅ Valider.

    /aide montre tout ce que je sais faire.
say-help =
    Pour déposer, écrivez-moi l'objet, le nombre et le poids : « un fauteuil, 12 kg ». Une photo peut s'ajouter.

    ✅ Valider enregistre, ✏️ Corriger change une ligne, ❌ Annuler abandonne.
    Un autre objet ? Écrivez-le pendant que la fiche est ouverte : il s'y ajoute.
    Une erreur ? Dites-la : « non, c'est une imprimante », « la 2 : 3 kg », « enlève la 2 ».

    /depot – nouveau dépôt
    /annuler – abandonner le dépôt en cours
    /mesdepots – mes dix derniers dépôts
    /statut – où en est mon dépôt
say-nothing-open = Aucun dépôt en cours. Dites-moi ce que vous déposez pour en commencer un.
say-still-listening = ⏳ Je lis votre message, la fiche arrive.
say-nothing-to-cancel = Il n'y a rien à annuler : aucun dépôt n'est en cours.
say-unknown-command = Je ne connais pas cette commande. /aide montre ce que je sais faire.
say-unsupported = Je ne peux rien en faire pour un dépôt. Écrivez-moi quelques mots ou envoyez une photo.
say-unsupported-file = Je ne lis pas ce genre de fichier. Écrivez-moi quelques mots, ou envoyez une photo ou un message vocal.
say-edit-ignored = J'ai vu que vous avez modifié un message ; le dépôt, lui, n'a pas changé. Pour corriger, utilisez la fiche ou envoyez un nouveau message.
say-busy = Un peu de patience : je n'ai pas encore fini avec vos derniers messages. Celui-ci n'est pas noté, renvoyez-le dans un instant.
say-trouble = 😟 Quelque chose s'est mal passé chez moi. Un responsable technique est prévenu.
say-too-long = Ce message est trop long pour ce dépôt et n'a pas été noté. Redites-le plus court.

my-deposits-none = Vous n'avez pas encore de dépôt. Dites-moi ce que vous déposez !
my-deposits-title = { $count ->
    [one] 📋 Votre dernier dépôt
   *[other] 📋 Vos { $count } derniers dépôts
}
my-deposits-number = n° { $number }
my-deposits-more = et { $count } de plus
status-pending-audio = 📝 commencé
status-pending-classification = ⏳ en lecture
status-pending-validation = ❔ à valider
status-completed = ✅ enregistré
status-cancelled = ❌ abandonné
status-expired = ⌛ expiré
status-classification-failed = 🤔 à revoir
status-reversed = ↩ annulé
date-today = aujourd'hui { $time }
date-yesterday = hier { $time }
date-this-year = { $day } { $month }, { $time }
date-other-year = { $day } { $month } { $year }
month = { $month ->
    [1] janv.
    [2] févr.
    [3] mars
    [4] avr.
    [5] mai
    [6] juin
    [7] juil.
    [8] août
    [9] sept.
    [10] oct.
    [11] nov.
   *[12] déc.
}

## Ce que répond un bouton (200 caractères au plus)

toast-stale = La fiche a changé depuis : regardez la plus récente.
toast-recording = ⏳ J'enregistre, un instant…
toast-another-open = Un autre dépôt est en cours. Terminez-le d'abord.
toast-elsewhere = Voici où en est ce dépôt.
toast-not-yours = Ce dépôt n'est pas le vôtre.
toast-not-allowed = Ce bouton n'est pas pour vous.
toast-undone = ↩ Dépôt annulé.
toast-too-late-to-undo = Trop tard pour annuler ici : voyez un responsable.
toast-resumed = ▶️ On reprend.
toast-gone = Ce dépôt n'est plus là.
toast-access-asked = 🙋 Demande envoyée.
toast-decided = ✅ C'est fait.
toast-already-decided = C'était déjà décidé.
toast-unavailable = Je n'y arrive pas pour l'instant. Réessayez dans un moment.

## L'accès

access-stranger = 🔒 Bonjour ! Ce bot est réservé à l'équipe de la ressourcerie.
access-stranger-id = Votre numéro Telegram :
access-stranger-ask = Vous en faites partie ? Demandez l'accès : un responsable vous répondra.
access-stranger-show = Vous en faites partie ? Donnez ce numéro à un responsable.
access-request-title = 🙋 Demande d'accès
access-request-more = Faut-il l'accepter comme bénévole ?
access-accepted = ✅ Accès accepté
access-refused = ❌ Accès refusé
access-decided-by = Décidé par { $admin }
access-anonymous = sans nom
announce-access-pending = 🙋 Votre demande est envoyée. Je vous écris dès qu'un responsable a répondu.
announce-access-full = Il y a déjà beaucoup de demandes en attente. Réessayez plus tard, ou voyez un responsable sur place.
announce-access-granted = ✅ Bienvenue dans l'équipe ! Dites-moi ce que vous déposez, par exemple « deux bouilloires, 3 kg ». /aide montre le reste.
announce-access-refused = Votre demande d'accès n'a pas été acceptée. Voyez un responsable sur place.
announce-admin-granted = ✅ Vous êtes maintenant administrateur. Les demandes d'accès vous seront envoyées ici.
announce-invitation-invalid = Ce lien d'invitation a expiré ou a déjà servi. Demandez-en un nouveau.
announce-too-fast = 🐢 Doucement ! Je reçois trop de messages à la fois. Attendez une minute, puis renvoyez le dernier.
announce-group = Je ne travaille qu'en conversation privée : écrivez-moi directement. À bientôt !
announce-conversation-lost = 😟 Je n'ai pas pu relire notre conversation en cours : redites-moi ce qui n'était pas encore enregistré.
announce-put-off = 🛠️ Je suis en cours de mise à jour et ne peux pas continuer cette conversation maintenant ; votre message est mis de côté.

## Le menu des commandes

command-depot = Commencer un dépôt
command-annuler = Abandonner le dépôt en cours
command-mesdepots = Mes dix derniers dépôts
command-statut = Où en est mon dépôt
command-aide = Ce que je sais faire

## Pour les responsables

say-for-managers = Cette commande est réservée aux responsables.
say-help-for-managers =
    Pour déposer, écrivez-moi l'objet, le nombre et le poids : « un fauteuil, 12 kg ». Une photo peut s'ajouter. /depot, /mesdepots, /statut et /annuler sont pour tout le monde.

    Pour les responsables :
    /qualite – mes propositions étaient-elles justes ?
    /lexique – ce que vos corrections m'ont appris
    /oublier théière – ne plus me servir de ce que j'ai appris sur « théière »
quality-none = Rien à comparer encore : aucun dépôt validé ces 90 derniers jours.
quality-title = 📊 Mes propositions, ces 90 derniers jours
quality-all = { $right } justes sur { $lines } ({ $percent } %)
quality-line = { $name } : { $right } sur { $lines } ({ $percent } %)
quality-models = Qui a proposé :
quality-categories = Les catégories les plus corrigées :
quality-corrections = Les corrections les plus fréquentes :
quality-correction = { $proposed } → { $chosen } : { $times } fois
quality-bands = Quand je disais :
quality-band-unknown = je ne sais pas
quality-band-to-check = à vérifier
quality-band-sure = sûr
quality-band-very-sure = sûr à 90 % et plus
lexicon-none = Je n'ai encore rien appris de vos corrections. Corrigez deux fois la même chose de la même façon : la troisième fois, je la propose.
lexicon-title = 📚 Ce que vos corrections m'ont appris
lexicon-line = { $name } → { $category } ({ $times } fois)
lexicon-more = et { $count } autres
lexicon-how-to-forget = Pour l'oublier : /oublier suivi du nom.
lexicon-forgotten = C'est oublié : mes prochaines propositions n'en tiendront plus compte.
lexicon-forget-what = Oublier quoi ? Écrivez le nom derrière la commande, par exemple : /oublier théière.
