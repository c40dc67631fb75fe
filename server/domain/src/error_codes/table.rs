//! The codes. Source: Twilio's error and warning dictionary and the pages of the single codes (2025 and 2026).

use super::{Class::*, ErrorCode};

macro_rules! codes {
    ($($($code:literal)+ $class:ident $meaning:literal $remedy:literal;)+) => {
        pub(super) const TABLE: &[ErrorCode] =
            &[$($(ErrorCode { code: $code, class: $class, meaning: $meaning, remedy: $remedy }),+),+];
    };
}

codes! {
    // The API and the account
    10001 AccountWide "The Twilio account is not active." "Check funds and notices in the Twilio console.";
    20003 AccountWide "Twilio refused the credentials." "Check the account SID and the token, and whether the account is suspended.";
    20005 90010 AccountWide "The Twilio account is not active." "Ask Twilio's support to activate it.";
    20008 AccountWide "This cannot be done with test credentials." "Set the live credentials.";
    20010 30037 AccountWide "Sending is switched off for this account." "Ask Twilio's support why.";
    20403 AccountWide "The account may not use the API: it is suspended or closed." "Ask Twilio's support.";
    20404 AccountWide "Twilio does not know what we asked for." "Check the account SID and the sender's SID.";
    20409 PermanentMessage "Twilio found the request in conflict with an earlier one." "Send the message again by hand.";
    20410 AccountWide "Twilio no longer offers this function." "Update this program.";
    20422 PermanentMessage "Twilio could not read the request." "Check the template's parameters.";
    20429 Retry "Too many requests at once; this one was not processed." "Nothing: it is sent again more slowly.";
    20500 Ambiguous "Twilio had an error of its own, and it is not known whether the message exists." "Nothing: Twilio is asked before it is sent again.";
    20503 Ambiguous "Twilio gives no clear answers, or a proxy answers in its place." "Nothing: Twilio is asked before anything is sent again that may exist. If it lasts, look at proxies and firewalls on the way to Twilio.";
    20504 30020 30021 63010 63012 63023 63025 Retry "A part of Twilio or of the channel failed." "Refused at once, it is sent again by itself; failed on its way, it is final: write to these people again.";
    30002 AccountWide "The account was suspended while messages were waiting." "Ask Twilio's support.";
    30454 AccountWide "The trial account has reached its limit." "Upgrade the Twilio account.";
    63038 AccountWide "The account has used up its messages for today." "Resume tomorrow, or ask Twilio for a higher limit.";

    // Addresses, parameters, content
    21211 PermanentRecipient "The number is not a valid one." "Correct the number in the contact.";
    21212 AccountWide "The sender's number is not valid or not approved." "Check the sender.";
    21265 PermanentRecipient "The number is a short code, which cannot receive this." "Remove the number.";
    21266 63031 PermanentRecipient "The number is the sender's own." "Remove the number from the audience.";
    21268 PermanentRecipient "The number is a premium number, which is not allowed." "Remove the number.";
    21408 PermanentRecipient "Sending to this country is not switched on." "Enable the country in Twilio's geographic permissions.";
    21601 21606 21659 21660 21661 AccountWide "The sender's number cannot send this, or belongs to another account." "Check the sender.";
    21602 21619 PermanentMessage "The message had no text, picture or template." "Check the template.";
    21603 21604 PermanentMessage "The message had no sender or no recipient." "Report this: it is a fault of the program.";
    21608 AccountWide "A trial account can send only to numbers that were verified." "Upgrade the account, or verify the number.";
    21609 AccountWide "Our address for delivery reports is not valid." "Check PUBLIC_URL: it must be reachable from outside.";
    21610 OptOut "The person has opted out of this sender." "Nothing: it is recorded as an opt-out.";
    21611 WaitSender "More than ten hours of messages are waiting for this sender." "Nothing: sending goes on when the queue is shorter. Lower the rate if it happens often.";
    21612 PermanentRecipient "This sender cannot reach this number." "Use another sender for this country.";
    21614 21635 30006 PermanentRecipient "The number is a landline or cannot receive messages." "Remove the number.";
    21617 PermanentMessage "The text is longer than 1,600 characters." "Shorten the template.";
    21618 PermanentMessage "The carriers filter this text." "Reword the text; avoid shortened links and shouting.";
    21620 PermanentMessage "The picture's address is not valid." "Correct the media address in the template.";
    21623 PermanentMessage "The message has more than ten pictures." "Take some out.";
    21624 30036 PermanentMessage "The message was no longer valid when its turn came." "Send it again with more time.";
    21654 21655 PermanentMessage "The content template is missing or unknown to Twilio." "Check the template's content SID.";
    21656 PermanentMessage "The content template's variables were refused." "Check that every variable has a value without line breaks.";
    21657 PermanentMessage "A sender with letters is not supported there." "Use a number as the sender.";
    21658 PermanentMessage "A parameter was too long." "Shorten the template's variables.";
    21664 21666 21667 PermanentMessage "The fallback sender is not set up rightly." "Check the Messaging Service.";
    21701 21703 21704 21705 AccountWide "The Messaging Service is missing or has no usable sender." "Check the service and its senders at Twilio.";
    21702 Retry "The Messaging Service is away for the moment." "Nothing: it is sent again.";
    21910 30015 30016 PermanentMessage "Sender and recipient are not on the same channel." "Use a sender of the template's channel.";
    35111 35114 35115 35117 35118 35125 35126 35127 PermanentMessage "Twilio refused the time at which to send." "Report this: messages are scheduled here, not at Twilio.";

    // SMS on its way
    30001 WaitSender "The message waited too long in Twilio's queue." "Lower the sender's rate.";
    30003 Defer "The phone is off or out of reach." "Write to these people again on another day.";
    30004 PermanentRecipient "The carrier or the person blocks messages from this sender." "Nothing; ask the person by another way.";
    30005 PermanentRecipient "The number is not in use." "Remove the number.";
    30007 PermanentMessage "A carrier filtered the message as unwanted." "Reword the text, and check that people asked for it.";
    30008 Defer "The carrier gave no reason." "Write to these people again on another day; if it stays, ask Twilio's support.";
    30009 30039 Informational "A part of an incoming message was lost, or it looked made by a machine." "Nothing.";
    30010 PermanentMessage "The message would have cost more than allowed." "Remove the price limit.";
    30011 PermanentRecipient "The person's carrier takes no pictures." "Send a text without a picture.";
    30012 30013 30028 30029 30030 30031 PermanentMessage "A parameter of the message was not valid." "Report this: it is a fault of the program.";
    30017 Retry "The carrier's network is congested." "Write to these people again later, more slowly.";
    30018 Informational "The sender is not registered there, so delivery may suffer." "Register the sender for this country.";
    30019 PermanentMessage "The picture is too large for the carrier." "Use a smaller picture.";
    30022 WaitSender "The registered campaign's rate was exceeded in the United States." "Lower the sender's rate.";
    30023 30027 WaitSender "T-Mobile's daily limit for this brand is used up." "Write to these people again after midnight, Pacific time.";
    30024 AccountWide "The carrier does not know the sender." "Finish the sender's registration.";
    30025 30026 Informational "T-Mobile's daily limit is nearing." "Spread the campaign over more days.";
    30032 AccountWide "The toll-free number is not verified." "Verify it in the Twilio console.";
    // Whoever lives elsewhere gets what comes from the same sender.
    30033 PermanentRecipient "The registered campaign is suspended in the United States." "Settle it with Twilio's support.";
    30034 30035 PermanentRecipient "The number is not, or not yet, registered for messages in the United States." "Register it for A2P 10DLC and wait for the approval.";
    30040 30041 30042 30043 PermanentRecipient "The sender is not registered for this country." "Register it, or use another sender there.";
    30410 Defer "The carrier did not answer in time; Twilio gave up so that nobody gets it twice." "Some may have got it all the same: ask them another way before writing again.";
    30450 30453 Defer "Blocked by the protection against fraudulent traffic." "Check where the numbers came from before writing to them again.";

    // WhatsApp and other channels
    63001 AccountWide "WhatsApp did not accept Twilio's credentials for this sender." "Connect the sender again.";
    63002 63007 AccountWide "WhatsApp does not know this sender." "Check that the sender is approved and belongs to this account.";
    63003 63024 PermanentRecipient "The person does not use WhatsApp, or has not accepted its terms." "Reach them by SMS.";
    63005 PermanentRecipient "WhatsApp did not take the message for this person." "Check the number; if many fail, check the template's media.";
    63006 63011 PermanentMessage "WhatsApp could not read the message." "Check the template's parts.";
    63008 AccountWide "The sender is not set up rightly." "Check its configuration at Twilio.";
    63009 Retry "WhatsApp reported an error." "Refused at once, it is sent again by itself; failed on its way, it is final: write to these people again.";
    63013 PermanentMessage "The message breaks a rule of WhatsApp." "Check variables for many blanks in a row, then the text against WhatsApp's policy.";
    63014 OptOut "The person has blocked this sender." "Nothing: it is recorded as an opt-out.";
    63015 PermanentRecipient "The person has not joined the sandbox." "Let them send the join word, or use an approved sender.";
    63016 PermanentMessage "The person has not written in the last 24 hours, so only an approved template may be sent." "Give the template a content SID.";
    63017 Retry "The account sends faster than WhatsApp allows." "Refused at once, it is sent again more slowly; failed on its way, it is final: lower the rate.";
    63018 WaitSender "The sender has reached WhatsApp's limit." "Refused at once, sending goes on later; failed on its way, it is final: lower the rate.";
    63019 PermanentMessage "Twilio could not fetch the picture." "Check that its address is public and answers quickly.";
    63020 AccountWide "The invitation from Twilio was not accepted at Meta." "Accept it in Meta's Business Manager.";
    63021 PermanentMessage "WhatsApp refused the content, or it is longer than 1,024 characters." "Shorten the text and the variables.";
    63022 AccountWide "The display name's certificate is not valid." "Ask Twilio to renew the sender's name.";
    63026 PermanentMessage "The content was reported as spam." "Stop and reword; check that people asked for it.";
    63027 PermanentMessage "The template does not exist in this language." "Check the languages approved for the content SID.";
    63028 PermanentMessage "The number of variables is not the template's." "Fill exactly the variables of the approved template.";
    63029 Defer "The phone could not fetch the template." "Write to these people again later.";
    63030 PermanentMessage "A parameter does not go with this kind of message." "Leave out the media address when a content SID is used.";
    63032 PermanentRecipient "The person is in a WhatsApp experiment and gets no such message." "Nothing.";
    63033 OptOut "The person has stopped marketing messages from this business." "Nothing: it is recorded as an opt-out.";
    63034 PermanentMessage "The media file is larger than allowed." "Use a file below 5 MB.";
    63035 63036 PermanentRecipient "The person cannot be reached by RCS." "Reach them by SMS.";
    63037 63039 63046 Informational "A notice of the channel; the message is not affected." "Nothing.";
    63040 PermanentMessage "The template is not approved." "Submit it, or wait for the approval.";
    63041 PermanentMessage "Meta paused the template because people reacted badly." "Wait for the pause to end, and improve the text.";
    63042 PermanentMessage "Meta disabled the template for good." "Write a new one.";
    63043 63044 63045 63047 PermanentMessage "The template's sample picture could not be read." "Submit it again with another picture.";
    63049 Defer "Meta chose not to deliver this marketing message: the person gets many of them." "Write to them less often, and again in some days; never to the United States, where Meta delivers none.";
    63051 AccountWide "The WhatsApp account is locked." "Settle it in Meta's Business Manager or with Twilio's support.";
    63052 PermanentMessage "An old kind of template was sent as plain text." "Give the template a content SID.";
    63062 AccountWide "The terms for marketing messages are not accepted." "Accept them in Meta's Business Manager.";
}
