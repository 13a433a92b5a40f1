"""An execution as a person sees it in a terminal: what the event log says (`board`), and how it is drawn."""
