"""What `dev.py run` and `dev.py demo` start: a whole shop with a catalogue to try it with."""
