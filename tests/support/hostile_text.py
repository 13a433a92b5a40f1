"""What nobody should be able to make a terminal do."""

#: Rich would end in a MarkupError, make a link, or draw a face.
MARKUP = "[/x] [link=http://evil.example]click[/link] [red] :smile:"
#: Of the screen's title, of colours in C1, and of reading direction.
COMMANDS = "\x1b]0;t\x07\x9b31m\u202eabc\u2066\u200f\u061c\x85"
