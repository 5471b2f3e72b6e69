//! Raw pictures and sound to coded frames and back; sources, sinks, the recorder and the judge.
