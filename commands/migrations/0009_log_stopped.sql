-- Why no event gets its place any more, as a sentence for people; null while the log goes on.
ALTER TABLE sequencer ADD COLUMN stopped text;
