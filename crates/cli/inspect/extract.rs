//! Streams and bodies as files.

use super::words::some;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use visavis::capture::analysis::{Extracted, FrameSink, StreamId};
use visavis::capture::findings::Findings;
use visavis::media_codecs::codec::{AudioDecoder, open_audio_decoder};
use visavis::media_codecs::sink::AudioSink;
use visavis::media_codecs::sink::mp4::Mp4Recorder;
use visavis::media_codecs::sink::wav::WavSink;
use visavis::proto::frame::{AudioFormat, ReceivedFrame};
use visavis::proto::io::MediaFormat;

/// The most streams that are written at one time: each has files open.
const MAX_OPEN: usize = 256;

type Out = BufWriter<File>;

/// Writes the frames of each stream: pictures as a byte stream and as MP4, sound as WAV.
pub(crate) struct Extract {
    dir: PathBuf,
    open: HashMap<usize, Stream>,
    names: HashSet<String>,
}

/// What is written of one stream.
#[derive(Default)]
struct Stream {
    pictures: Option<Pictures>,
    sound: Option<Sound>,
    files: Vec<String>,
    /// The first thing that went wrong.
    error: Option<String>,
}

struct Pictures {
    stream: Out,
    film: Mp4Recorder<Out>,
    begun: bool,
    skipped: u64,
    incomplete: u64,
}

struct Sound {
    format: AudioFormat,
    decoder: Box<dyn AudioDecoder>,
    file: WavSink<Out>,
    broken: u64,
}

impl Extract {
    /// Writes into a directory, which is made where it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn into(dir: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        Ok(Extract { dir: dir.to_owned(), open: HashMap::new(), names: HashSet::new() })
    }
}

impl FrameSink for Extract {
    fn frame(&mut self, id: &StreamId, format: &MediaFormat, frame: &ReceivedFrame) {
        let count = self.open.len();
        let is_new = !self.open.contains_key(&id.number);
        let stream = self.open.entry(id.number).or_default();
        if stream.error.is_some() && stream.pictures.is_none() && stream.sound.is_none() {
            return;
        }
        if is_new && count >= MAX_OPEN {
            stream.error = Some(format!("{MAX_OPEN} streams were being written already"));
            return;
        }
        let place = Place { dir: &self.dir, names: &mut self.names, id };
        let written = match format {
            MediaFormat::Video(_) => stream.picture(frame, place),
            MediaFormat::Audio(format) => stream.sound(format, frame, place),
        };
        if let Err(error) = written {
            stream.error.get_or_insert(error);
        }
    }

    fn finish(&mut self, id: &StreamId) -> Extracted {
        self.open.remove(&id.number).map_or_else(Extracted::default, Stream::finish)
    }
}

/// Where the files of a stream go.
struct Place<'a> {
    dir: &'a Path,
    names: &'a mut HashSet<String>,
    id: &'a StreamId,
}

impl Place<'_> {
    /// A name that no other stream has, without the ending.
    fn name(&mut self, kind: &str) -> String {
        let source = self.id.source;
        let ip = source.ip().to_string().replace(':', "-");
        let base = format!("{kind}-{:08x}-from-{ip}-{}", self.id.ssrc, source.port());
        let mut name = base.clone();
        let mut number = 2;
        while !self.names.insert(name.clone()) {
            name = format!("{base}-{number}");
            number += 1;
        }
        name
    }
}

/// A new file, and its name for people.
fn create(dir: &Path, name: &str, ending: &str) -> Result<(Out, String), String> {
    let path = dir.join(format!("{name}.{ending}"));
    let file =
        File::create(&path).map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    Ok((BufWriter::new(file), path.display().to_string()))
}

impl Stream {
    fn picture(&mut self, frame: &ReceivedFrame, mut place: Place<'_>) -> Result<(), String> {
        let pictures = match &mut self.pictures {
            Some(pictures) => pictures,
            none => {
                let name = place.name("video");
                let (stream, stream_name) = create(place.dir, &name, "264")?;
                let (film, film_name) = create(place.dir, &name, "mp4")?;
                let film = Mp4Recorder::new(film).map_err(|error| format!("{film_name}: {error}"))?;
                self.files.extend([stream_name, film_name]);
                none.insert(Pictures { stream, film, begun: false, skipped: 0, incomplete: 0 })
            }
        };
        // What goes before the first picture that a decoder can start from plays nowhere.
        pictures.begun |= frame.keyframe;
        if !pictures.begun {
            pictures.skipped += 1;
            return Ok(());
        }
        pictures.incomplete += u64::from(!frame.complete);
        pictures.stream.write_all(&frame.data).map_err(|error| error.to_string())?;
        pictures.film.picture(frame).map_err(|error| error.to_string())
    }

    fn sound(
        &mut self,
        format: &AudioFormat,
        frame: &ReceivedFrame,
        mut place: Place<'_>,
    ) -> Result<(), String> {
        let sound = match &mut self.sound {
            Some(sound) => {
                if sound.format != *format {
                    sound.decoder = open_audio_decoder(format).map_err(|error| error.to_string())?;
                    sound.format = format.clone();
                }
                sound
            }
            none => {
                let decoder = open_audio_decoder(format).map_err(|error| error.to_string())?;
                let (file, name) = create(place.dir, &place.name("audio"), "wav")?;
                self.files.push(name);
                none.insert(Sound { format: format.clone(), decoder, file: WavSink::new(file), broken: 0 })
            }
        };
        let received = sound.decoder.receive(frame);
        sound.broken += u64::from(received.error.is_some());
        received.sound.iter().try_for_each(|pcm| sound.file.play(pcm)).map_err(|error| error.to_string())
    }

    fn finish(mut self) -> Extracted {
        let mut notes: Vec<String> = self.error.take().into_iter().collect();
        if let Some(mut pictures) = self.pictures.take() {
            let flushed = pictures.stream.flush().map_err(|error| error.to_string());
            let finished = pictures.film.finish().map_err(|error| error.to_string());
            notes.extend(flushed.and(finished).err());
            if pictures.skipped > 0 {
                notes.push(format!(
                    "{} before the first IDR picture left out",
                    some(pictures.skipped, "picture")
                ));
            }
            if pictures.incomplete > 0 {
                notes.push(format!(
                    "{} incomplete, and so not in the film",
                    some(pictures.incomplete, "picture")
                ));
            }
        }
        if let Some(mut sound) = self.sound.take() {
            notes.extend(sound.file.finish().err().map(|error| error.to_string()));
            if sound.broken > 0 {
                notes.push(format!("{} did not decode", some(sound.broken, "frame")));
            }
        }
        Extracted { files: self.files, error: (!notes.is_empty()).then(|| notes.join("; ")) }
    }
}

/// Writes the bodies of all key exchanges into a directory; gives their paths.
///
/// # Errors
/// One cannot be written.
pub(crate) fn write_bodies(dir: &Path, findings: &Findings) -> io::Result<Vec<String>> {
    let mut written: Vec<String> = Vec::new();
    for (index, call) in findings.calls.iter().enumerate() {
        for ske in &call.ske {
            let from = ske.source.map_or_else(String::new, |source| {
                format!("-from-{}-{}", source.ip().to_string().replace(':', "-"), source.port())
            });
            let path = dir.join(format!("ske-call{}-{}{from}.bin", index + 1, ske.sequence));
            std::fs::write(&path, &ske.body)?;
            written.push(path.display().to_string());
        }
    }
    Ok(written)
}
