//! What devices give and take, converted here and by ffmpeg: no sample may be off by more than one code value.

mod support;

use std::fs;
use support::{Scratch, ffmpeg};
use visavis_media::Picture;
use visavis_media::live::sample::DeviceSample;
use visavis_media::picture::Component;
use visavis_media::pixel::{PixelFormat, to_picture, upright};
use visavis_proto::frame::Rotation;

/// Chroma is averaged over the area that it covers, in full precision: ffmpeg's default filter sharpens.
const SWS: &str = "area+accurate_rnd+full_chroma_inp+full_chroma_int+bitexact";

/// Three frames with edges, gradients and colours of all kinds, as raw RGB.
fn frames(scratch: &Scratch, size: &str) -> String {
    let file = scratch.file("frames.rgb");
    let source = format!("testsrc2=size={size}:rate=5:duration=0.6");
    let noise = "noise=alls=20:all_seed=3,format=rgb24";
    ffmpeg(&["-f", "lavfi", "-i", &source, "-vf", noise, "-f", "rawvideo", &file]);
    file
}

/// The largest and the mean difference in each plane.
fn differences(a: &Picture, b: &Picture) -> [(u8, f64); 3] {
    assert_eq!(a.size(), b.size());
    Component::ALL.map(|component| {
        let (a, b) = (a.plane(component).data, b.plane(component).data);
        let off = a.iter().zip(b).map(|(a, b)| a.abs_diff(*b));
        let sum: u64 = off.clone().map(u64::from).sum();
        (off.max().unwrap_or(0), sum as f64 / a.len() as f64)
    })
}

#[test]
fn every_pixel_format_is_within_one_of_ffmpegs() {
    let scratch = Scratch::new("pixels");
    for (width, height) in [(320u32, 240u32), (322, 182)] {
        let size = format!("{width}x{height}");
        let frames = frames(&scratch, &size);
        let rgb = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", &size, "-i", &frames];
        for (format, name) in [
            (PixelFormat::Rgb, "rgb24"),
            (PixelFormat::Bgr, "bgr24"),
            (PixelFormat::Rgbx, "rgb0"),
            (PixelFormat::Bgrx, "bgr0"),
            (PixelFormat::Yuyv, "yuyv422"),
            (PixelFormat::Uyvy, "uyvy422"),
            (PixelFormat::Nv12, "nv12"),
            (PixelFormat::I420, "yuv420p"),
            (PixelFormat::Grey, "gray"),
        ] {
            let (raw, i420) = (scratch.file(name), scratch.file("i420"));
            ffmpeg(&[&rgb[..], &["-sws_flags", SWS, "-pix_fmt", name, "-f", "rawvideo", &raw]].concat());
            let input = ["-f", "rawvideo", "-pix_fmt", name, "-s", &size, "-i", &raw];
            let output = ["-sws_flags", SWS, "-pix_fmt", "yuv420p", "-f", "rawvideo", &i420];
            ffmpeg(&[&input[..], &output].concat());
            let (raw, i420) = (fs::read(raw).unwrap(), fs::read(i420).unwrap());
            let octets = format.octets(width, height).unwrap();
            let theirs = i420.chunks_exact(PixelFormat::I420.octets(width, height).unwrap());
            assert_eq!(raw.len(), 3 * octets);
            for (ours, theirs) in raw.chunks_exact(octets).zip(theirs) {
                let ours = to_picture(format, (width, height), ours).unwrap();
                let theirs = Picture::from_i420(width, height, theirs.to_vec()).unwrap();
                let off = differences(&ours, &theirs);
                assert!(off.iter().all(|(most, _)| *most <= 1), "{name} {size}: {off:?}");
            }
        }
    }
}

#[test]
fn a_turned_picture_is_to_the_octet_what_ffmpegs_transpose_makes_of_it() {
    let scratch = Scratch::new("turned");
    let frames = frames(&scratch, "322x182");
    let i420 = scratch.file("i420");
    let rgb = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "322x182", "-i", &frames];
    ffmpeg(&[&rgb[..], &["-pix_fmt", "yuv420p", "-f", "rawvideo", &i420]].concat());
    let octets = PixelFormat::I420.octets(322, 182).unwrap();
    let ours = fs::read(&i420).unwrap();
    assert_eq!(ours.len(), 3 * octets);
    for (rotation, filter, (width, height)) in [
        (Rotation::Clockwise90, "transpose=clock", (182, 322)),
        (Rotation::Clockwise180, "hflip,vflip", (322, 182)),
        (Rotation::Clockwise270, "transpose=cclock", (182, 322)),
    ] {
        let turned = scratch.file("turned");
        let input = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "322x182", "-i", &i420];
        ffmpeg(&[&input[..], &["-vf", filter, "-pix_fmt", "yuv420p", "-f", "rawvideo", &turned]].concat());
        let theirs = fs::read(&turned).unwrap();
        for (ours, theirs) in ours.chunks_exact(octets).zip(theirs.chunks_exact(octets)) {
            let picture = Picture::from_i420(322, 182, ours.to_vec()).unwrap().rotated(rotation);
            let theirs = Picture::from_i420(width, height, theirs.to_vec()).unwrap();
            assert_eq!(upright(&picture), theirs, "{filter}");
        }
    }
}

#[test]
fn motion_jpeg_of_cameras_is_within_one_of_ffmpegs() {
    let scratch = Scratch::new("jpeg");
    for (width, height) in [(320u32, 240u32), (322, 182)] {
        let size = format!("{width}x{height}");
        let frames = frames(&scratch, &size);
        for subsampling in ["yuvj422p", "yuvj420p", "yuvj444p", "gray"] {
            let (jpeg, i420) = (scratch.file("frame.jpg"), scratch.file("i420"));
            let rgb = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", &size, "-i", &frames];
            let quality =
                ["-frames:v", "1", "-c:v", "mjpeg", "-q:v", "3", "-pix_fmt", subsampling, "-update", "1"];
            ffmpeg(&[&rgb[..], &quality, &["-huffman", "default", &jpeg]].concat());
            let output =
                ["-sws_flags", SWS, "-pix_fmt", "yuv420p", "-color_range", "tv", "-f", "rawvideo", &i420];
            ffmpeg(&[&["-i", &jpeg], &output[..]].concat());
            let theirs = Picture::from_i420(width, height, fs::read(i420).unwrap()).unwrap();
            let jpeg = fs::read(jpeg).unwrap();
            let ours = to_picture(PixelFormat::Jpeg, (640, 480), &jpeg).unwrap();
            let off = differences(&ours, &theirs);
            assert!(off.iter().all(|(most, _)| *most <= 1), "{subsampling} {size}: {off:?}");
            let bare = to_picture(PixelFormat::Jpeg, (640, 480), &without_tables(&jpeg)).unwrap();
            assert!(bare.as_i420() == ours.as_i420(), "{subsampling} {size} as cameras send it");
        }
    }
}

/// A JPEG picture without its Huffman tables (segments DHT, ITU-T T.81 section B.2.4.2), as in motion JPEG.
fn without_tables(jpeg: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (jpeg[..2].to_vec(), &jpeg[2..]);
    let mut left_out = 0;
    while rest[1] != 0xda {
        let (segment, after) = rest.split_at(2 + usize::from(u16::from_be_bytes([rest[2], rest[3]])));
        if segment[1] == 0xc4 {
            left_out += 1
        } else {
            out.extend_from_slice(segment)
        }
        rest = after;
    }
    assert!(left_out > 0, "there were tables to leave out");
    [&out, rest].concat()
}

#[test]
fn every_sample_format_is_within_one_of_ffmpegs() {
    let scratch = Scratch::new("samples");
    let tone = scratch.file("tone.s16");
    let source = "aevalsrc='0.999*sin(997*2*PI*t)*sin(3*t)':s=48000:d=2";
    ffmpeg(&["-f", "lavfi", "-i", source, "-f", "s16le", &tone]);
    let sound: Vec<i16> = values(&fs::read(&tone).unwrap(), i16::from_le_bytes);
    check(&scratch, &tone, &sound, "s8", i8::from_le_bytes, |a, b| a.abs_diff(b).into());
    check(&scratch, &tone, &sound, "u8", u8::from_le_bytes, |a, b| a.abs_diff(b).into());
    check(&scratch, &tone, &sound, "u16le", u16::from_le_bytes, |a, b| a.abs_diff(b).into());
    check(&scratch, &tone, &sound, "s32le", i32::from_le_bytes, |a, b| a.abs_diff(b).into());
    check(&scratch, &tone, &sound, "u32le", u32::from_le_bytes, |a, b| a.abs_diff(b).into());
    check(&scratch, &tone, &sound, "f32le", f32::from_le_bytes, |a, b| f64::from((a - b).abs()) * 32_768.0);
    check(&scratch, &tone, &sound, "f64le", f64::from_le_bytes, |a, b| (a - b).abs() * 32_768.0);
}

fn values<T, const N: usize>(octets: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
    octets.chunks_exact(N).map(|c| read(c.try_into().unwrap())).collect()
}

/// Both ways: 16 bits to `format`, and what ffmpeg made of them back to 16 bits.
fn check<T: DeviceSample, const N: usize>(
    scratch: &Scratch,
    tone: &str,
    sound: &[i16],
    format: &str,
    read: impl Fn([u8; N]) -> T,
    off: impl Fn(T, T) -> f64,
) {
    let (there, back) = (scratch.file(format), scratch.file("back"));
    let s16 = ["-ar", "48000", "-ac", "1"];
    ffmpeg(&[&["-f", "s16le"], &s16[..], &["-i", tone, "-f", format, &there]].concat());
    ffmpeg(&[&["-f", format], &s16[..], &["-i", &there, "-f", "s16le", &back]].concat());
    let theirs = values(&fs::read(there).unwrap(), read);
    let back = values(&fs::read(back).unwrap(), i16::from_le_bytes);
    assert_eq!((theirs.len(), back.len()), (sound.len(), sound.len()), "{format}");
    for ((&sample, &theirs), &back) in sound.iter().zip(&theirs).zip(&back) {
        assert!(off(T::from_i16(sample), theirs) <= 1.0, "{format}: {sample}");
        assert!(
            theirs.to_i16().abs_diff(back) <= 1,
            "{format}: {sample} is {} here, {back} there",
            theirs.to_i16()
        );
    }
}
