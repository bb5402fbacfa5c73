# Everything a volunteer reads, in English. Short, warm, no jargon.

## The card: a description is asked for

asked-title = 📦 New deposit
asked-opening = Tell me what you are dropping off: what it is, how many, the weight if you have it. For example: “two kettles, 3 kg”.
asked-voice-kept = 🎤 I kept your voice message, but I could not listen to it. Write me a few words: what, how many, the weight.
asked-nothing-heard = 🎤 I heard nobody in your voice message; it is kept. Say it again closer to the microphone, or write me what, how many, the weight.
asked-photo-kept = 📷 Got your photo. What is it? A few words are enough, with the weight if you have it.
asked-no-deposit = I found no object in your message. For a deposit, say what, how many and the weight: “one armchair, 12 kg”. For anything else: /help.
asked-emptied = The card is empty now. What are you dropping off? For example: “two kettles, 3 kg”.
asked-not-understood = I did not understand, but I kept everything. Say it another way, in a few words: “one armchair, 12 kg”.

## The card: to be confirmed

card-title = 📦 Your deposit: is this right?
card-understanding = ⏳ One moment, I am reading your message…
card-recording = ⏳ saving…
card-recording-slow = This takes a little longer, but your choice is kept: nothing to do again.
card-closing = ⏳ One moment…
card-question = ❓ “{ $object }”: which category?
card-question-line = ❓ Line { $line }, “{ $object }”: which category?
card-ends-in-a-minute = ⏰ Without an answer, the session ends in one minute.
card-ends-soon = ⏰ Without an answer, the session ends in less than a minute.
card-photos = { $count ->
    [one] 📷 { $count } photo
   *[other] 📷 { $count } photos
}
card-recordings = { $count ->
    [one] 🎤 { $count } voice message
   *[other] 🎤 { $count } voice messages
}
card-heard = 🎤 heard: “{ $text }”
card-total = Total weight: { $weight }
card-total-at-least = Total weight: at least { $weight }

line-lot = lot
line-no-weight = no weight given
line-weight-in-total = counted in the total
line-estimated = ≈ { $weight }
line-unnamed = item
confidence-sure = sure
confidence-to-check = please check
confidence-unknown = I don't know
confidence-confirmed = confirmed
confidence-corrected = corrected
destination-magasin = shop
destination-recyclage = recycling
destination-dechetterie = tip

notice-full = ✋ This deposit is full. Confirm it first: your last message will open the next one.
notice-voice-kept = 🎤 I kept your voice message, but I could not listen to it. To add an item, write it.
notice-nothing-heard = 🎤 I heard nobody in your voice message; it is kept. Say it again closer to the microphone, or write it.
notice-photo-kept = 📷 Photo added.
notice-no-deposit = I found no object in your last message: no line was added.
notice-not-understood = I did not understand your last message; it is kept. Say it another way.
notice-resumed = ▶️ Your draft is back.
done-renamed = { $line }. { $object } instead of “{ $was }”
done-sorted = { $line }. { $object }: { $category }
done-changed = { $line }. { $object }: { $now } instead of { $was }
done-set = { $line }. { $object }: { $now }
done-added = { $line }. { $object }: new line
done-removed = { $object }: line removed
done-total = Total weight: { $weight }
done-more = and { $count } more
done-nothing = That is how it stands already.
done-outdated = The card had changed meanwhile: tell me again what is missing.
unclear-which = ❓ Which line? Answer with its number, for example “number 2”.
unclear-no-such-line = ❓ I cannot find that line: say its number, for example “remove number 2”.
unclear-what = ❓ I changed nothing: tell me the line and what it should say, for example “line 2: 3 kg”.
unclear-everything = ❓ To drop everything, press ❌ Cancel; for a single line, say its number.
unclear-total = ❓ This total does not go with the weights of the lines: which line should change?

## The card: correcting

pick-line-title = ✏️ Which line do you want to correct?
groups-title = ✏️ “{ $object }”: what should change?
groups-more = Choose a family for another category, or write me the correction.
quantities-title = ✏️ “{ $object }”: how many?
weights-title = ✏️ “{ $object }”: how heavy?
weight-asked-title = ✏️ “{ $object }”: how heavy?
weight-asked = Write me the weight of this line, for example “2.5 kg”.
destinations-title = ✏️ “{ $object }”: where does it go?
categories-title = ✏️ “{ $object }”: which category?
categories-page = { $group } · page { $page } of { $pages }

## The card: afterwards

closed-completed = ✅ Deposit no. { $number } saved
closed-completed-unnumbered = ✅ Deposit saved
closed-thanks = Thank you!
closed-cancelled = ❌ Deposit cancelled
closed-cancelled-more = Nothing was saved.
closed-expired = ⌛ The session has expired
closed-expired-more = Nothing is lost: the draft is kept, you can take it up again.
closed-failed = 🤔 I could not read this deposit
closed-failed-more = Everything is kept: a manager will look at it.
closed-reversed = ↩ Deposit no. { $number } undone
closed-reversed-unnumbered = ↩ Deposit undone
closed-open = This deposit is still in progress.

## The buttons

button-validate = ✅ Confirm
button-correct = ✏️ Correct
button-cancel = ❌ Cancel
button-other = Other…
button-back = ↩ Back
button-quantity = 🔢 Quantity
button-weight = ⚖️ Weight
button-destination = 📍 Destination
button-remove = 🗑️ Remove
button-lot = As a lot
button-other-weight = Other weight…
button-no-weight = No weight
button-previous = ◀
button-next = ▶
button-undo = ↩ Undo this deposit
button-resume = ▶️ Resume
button-ask-access = 🙋 Ask for access
button-accept = ✅ Accept
button-refuse = ❌ Refuse

## The plain answers

say-welcome =
    👋 Hello! I note down the deposits of the reuse centre.

    Just tell me what you are dropping off, for example “two kettles, 3 kg”: I prepare the card, you press ✅ Confirm.

    /help shows everything I can do.
say-help =
    To make a deposit, write what it is, how many and the weight: “one armchair, 12 kg”. You can add a photo.

    ✅ Confirm saves it, ✏️ Correct changes a line, ❌ Cancel drops it.
    Another item? Write it while the card is open: it is added.
    A mistake? Say it: “no, it's a printer”, “line 2: 3 kg”, “remove number 2”.

    /depot – new deposit
    /cancel – drop the current deposit
    /mydeposits – my last ten deposits
    /status – where my deposit stands
say-nothing-open = No deposit in progress. Tell me what you are dropping off to start one.
say-still-listening = ⏳ I am reading your message, the card is on its way.
say-nothing-to-cancel = There is nothing to cancel: no deposit is in progress.
say-unknown-command = I don't know this command. /help shows what I can do.
say-unsupported = I cannot use this for a deposit. Write me a few words or send a photo.
say-unsupported-file = I cannot read this kind of file. Write me a few words, or send a photo or a voice message.
say-edit-ignored = I saw that you edited a message; the deposit itself has not changed. To correct it, use the card or send a new message.
say-busy = A little patience: I have not finished with your last messages. This one is not noted, please send it again in a moment.
say-trouble = 😟 Something went wrong on my side. A technician has been told.
say-too-long = This message is too long for this deposit and was not noted. Please make it shorter.

my-deposits-none = You have no deposit yet. Tell me what you are dropping off!
my-deposits-title = { $count ->
    [one] 📋 Your last deposit
   *[other] 📋 Your last { $count } deposits
}
my-deposits-number = no. { $number }
my-deposits-more = and { $count } more
status-pending-audio = 📝 started
status-pending-classification = ⏳ being read
status-pending-validation = ❔ to confirm
status-completed = ✅ saved
status-cancelled = ❌ cancelled
status-expired = ⌛ expired
status-classification-failed = 🤔 to review
status-reversed = ↩ undone
date-today = today { $time }
date-yesterday = yesterday { $time }
date-this-year = { $day } { $month }, { $time }
date-other-year = { $day } { $month } { $year }
month = { $month ->
    [1] Jan
    [2] Feb
    [3] Mar
    [4] Apr
    [5] May
    [6] Jun
    [7] Jul
    [8] Aug
    [9] Sep
    [10] Oct
    [11] Nov
   *[12] Dec
}

## What a button answers (at most 200 characters)

toast-stale = The card has changed since: look at the latest one.
toast-recording = ⏳ Saving, one moment…
toast-another-open = Another deposit is in progress. Finish it first.
toast-elsewhere = This is where that deposit stands.
toast-not-yours = This deposit is not yours.
toast-not-allowed = This button is not for you.
toast-undone = ↩ Deposit undone.
toast-too-late-to-undo = Too late to undo it here: ask a manager.
toast-resumed = ▶️ Here we go again.
toast-gone = This deposit is no longer here.
toast-access-asked = 🙋 Request sent.
toast-decided = ✅ Done.
toast-already-decided = This was already decided.
toast-unavailable = I cannot do this right now. Please try again in a moment.

## Access

access-stranger = 🔒 Hello! This bot is for the team of the reuse centre.
access-stranger-id = Your Telegram number:
access-stranger-ask = Are you part of it? Ask for access: a manager will answer you.
access-stranger-show = Are you part of it? Give this number to a manager.
access-request-title = 🙋 Access request
access-request-more = Accept this person as a volunteer?
access-accepted = ✅ Access granted
access-refused = ❌ Access refused
access-decided-by = Decided by { $admin }
access-anonymous = no name
announce-access-pending = 🙋 Your request has been sent. I will write to you as soon as a manager has answered.
announce-access-full = There are already many requests waiting. Try again later, or ask a manager on site.
announce-access-granted = ✅ Welcome to the team! Tell me what you are dropping off, for example “two kettles, 3 kg”. /help shows the rest.
announce-access-refused = Your access request was not accepted. Please ask a manager on site.
announce-admin-granted = ✅ You are now an administrator. Access requests will be sent to you here.
announce-invitation-invalid = This invitation link has expired or was already used. Ask for a new one.
announce-too-fast = 🐢 Not so fast! I am getting too many messages at once. Wait a minute, then send the last one again.
announce-group = I only work in private conversations: write to me directly. See you soon!
announce-conversation-lost = 😟 I could not read our current conversation: tell me again what was not recorded yet.
announce-put-off = 🛠️ I am being updated and cannot go on with this conversation now; your message has been put aside.

## The command menu

command-depot = Start a deposit
command-annuler = Drop the current deposit
command-mesdepots = My last ten deposits
command-statut = Where my deposit stands
command-aide = What I can do

## For managers

say-for-managers = This command is for managers only.
say-help-for-managers =
    To deposit, write the object, the number and the weight: “an armchair, 12 kg”. A photo can go with it. /depot, /mydeposits, /status and /cancel are for everybody.

    For managers:
    /quality – were my suggestions right?
    /lexicon – what your corrections taught me
    /forget teapot – stop using what I learned about “teapot”
quality-none = Nothing to compare yet: no deposit was validated in the last 90 days.
quality-title = 📊 My suggestions, last 90 days
quality-all = { $right } right of { $lines } ({ $percent }%)
quality-line = { $name }: { $right } of { $lines } ({ $percent }%)
quality-models = Who suggested:
quality-categories = The categories corrected most:
quality-corrections = The most frequent corrections:
quality-correction = { $proposed } → { $chosen }: { $times } times
quality-bands = When I said:
quality-band-unknown = I don't know
quality-band-to-check = to check
quality-band-sure = sure
quality-band-very-sure = at least 90% sure
lexicon-none = I have not learned anything from your corrections yet. Correct the same thing twice the same way: the third time, I suggest it.
lexicon-title = 📚 What your corrections taught me
lexicon-line = { $name } → { $category } ({ $times } times)
lexicon-more = and { $count } more
lexicon-how-to-forget = To take it back: /forget followed by the name.
lexicon-forgotten = Forgotten: my next suggestions will not use it any more.
lexicon-forget-what = Forget what? Write the name after the command, for example: /forget teapot.
