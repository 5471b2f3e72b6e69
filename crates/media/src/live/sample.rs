//! The forms in which devices count samples.

/// A sample as a device has it. Full scale is full scale in each form; what has more than 16 bits is rounded.
pub trait DeviceSample: Copy {
    /// Silence.
    const SILENCE: Self;

    /// To 16 bits.
    fn to_i16(self) -> i16;

    /// From 16 bits.
    fn from_i16(sample: i16) -> Self;
}

impl DeviceSample for i16 {
    const SILENCE: i16 = 0;

    fn to_i16(self) -> i16 {
        self
    }

    fn from_i16(sample: i16) -> i16 {
        sample
    }
}

impl DeviceSample for i8 {
    const SILENCE: i8 = 0;

    fn to_i16(self) -> i16 {
        i16::from(self) << 8
    }

    fn from_i16(sample: i16) -> i8 {
        (sample >> 8) as i8
    }
}

impl DeviceSample for i32 {
    const SILENCE: i32 = 0;

    fn to_i16(self) -> i16 {
        (self.saturating_add(1 << 15) >> 16) as i16
    }

    fn from_i16(sample: i16) -> i32 {
        i32::from(sample) << 16
    }
}

/// Forms without a sign have their silence in the middle.
macro_rules! unsigned {
    ($($unsigned:ty, $signed:ty);*) => {$(
        impl DeviceSample for $unsigned {
            const SILENCE: $unsigned = 1 << (<$unsigned>::BITS - 1);

            fn to_i16(self) -> i16 {
                ((self ^ Self::SILENCE) as $signed).to_i16()
            }

            fn from_i16(sample: i16) -> $unsigned {
                <$signed>::from_i16(sample) as $unsigned ^ Self::SILENCE
            }
        }
    )*};
}

unsigned!(u8, i8; u16, i16; u32, i32);

/// Forms with a point have full scale at 1.
macro_rules! float {
    ($($float:ty),*) => {$(
        impl DeviceSample for $float {
            const SILENCE: $float = 0.0;

            fn to_i16(self) -> i16 {
                // Not a number becomes 0.
                (self * 32_768.0).round() as i16
            }

            fn from_i16(sample: i16) -> $float {
                <$float>::from(sample) / 32_768.0
            }
        }
    )*};
}

float!(f32, f64);

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Debug;

    fn there_and_back<S: DeviceSample + PartialEq + Debug>(exact: bool) {
        for sample in [i16::MIN, -12_345, -256, 0, 1, 255, 12_288, i16::MAX] {
            let back = S::from_i16(sample).to_i16();
            assert!(if exact { back == sample } else { back == sample >> 8 << 8 }, "{sample} {back}");
        }
        assert_eq!(S::from_i16(0), S::SILENCE);
    }

    #[test]
    fn every_form_holds_what_it_can() {
        there_and_back::<i16>(true);
        there_and_back::<u16>(true);
        there_and_back::<i32>(true);
        there_and_back::<u32>(true);
        there_and_back::<f32>(true);
        there_and_back::<f64>(true);
        there_and_back::<i8>(false);
        there_and_back::<u8>(false);
    }

    #[test]
    fn what_is_beyond_full_scale_or_no_number_is_held() {
        assert_eq!([1.5f32, -9.0, f32::NAN].map(DeviceSample::to_i16), [i16::MAX, i16::MIN, 0]);
        assert_eq!(i32::MAX.to_i16(), i16::MAX);
    }
}
