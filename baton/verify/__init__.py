"""`baton verify`: a bounded load against a stack, faults if asked for, and a comparison of what senders were promised
with what agents did. It speaks `/baton/v1` alone and believes nothing but the ledger, the receipts and the log."""
