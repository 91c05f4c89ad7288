//! Which layer a place on a viewer's page asks for: the smallest that fills it. It knows nothing of bitrates.

use super::{LayerFigures, MAX_LAYERS};

/// A layer with two thirds of the pixels of its place is enlarged by a fifth: nobody sees it.
const ENOUGH: (u32, u32) = (2, 3);

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: u16,
    pub(crate) height: u16,
}

impl Size {
    /// Pixels.
    pub(crate) fn area(self) -> u32 {
        u32::from(self.width) * u32::from(self.height)
    }

    fn halved(self, times: usize) -> Self {
        Self {
            width: self.width >> times,
            height: self.height >> times,
        }
    }

    fn doubled(self, times: usize) -> Self {
        let double = |length: u16| length.saturating_mul(1 << times);
        Self {
            width: double(self.width),
            height: double(self.height),
        }
    }

    /// Bits per second that a video of this size usually takes: for layers not measured yet.
    pub(crate) fn usual_bitrate(self) -> u64 {
        2 * u64::from(self.area())
    }
}

/// The smallest layer, lowest first, that fills a place; the largest if none does. By area, so that it does
/// not matter how the page fits a picture into its place, or whether a telephone is turned.
pub(crate) fn layer_for(place: Size, layers: &[LayerFigures]) -> usize {
    let (enough, of) = ENOUGH;
    let fills = |layer: &LayerFigures| {
        u64::from(layer.size.area()) * u64::from(of) >= u64::from(place.area()) * u64::from(enough)
    };
    let smallest = layers.iter().position(fills);
    smallest.unwrap_or(layers.len().saturating_sub(1))
}

/// The sizes of a track's layers, of which some are known: each layer has half the width and height of the
/// next, as browsers make them unless told otherwise.
pub(crate) fn sizes(known: &[Option<Size>]) -> [Size; MAX_LAYERS] {
    let usual = Size {
        width: 1280,
        height: 720,
    };
    let top = known.len().saturating_sub(1);
    let last_known = (0..known.len()).rev().find_map(|at| Some((at, known[at]?)));
    let (at, size) = last_known.unwrap_or((top, usual));
    let mut sizes = [Size::default(); MAX_LAYERS];
    for (layer, known) in known.iter().enumerate().take(MAX_LAYERS) {
        let guess = match layer <= at {
            true => size.halved(at - layer),
            false => size.doubled(layer - at),
        };
        sizes[layer] = known.unwrap_or(guess);
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(width: u16, height: u16) -> Size {
        Size { width, height }
    }

    fn layers() -> Vec<LayerFigures> {
        let layer = |size| LayerFigures {
            is_active: true,
            size,
            ..LayerFigures::default()
        };
        sizes(&[None; 3])[..3]
            .iter()
            .map(|size| layer(*size))
            .collect()
    }

    #[test]
    fn the_smallest_layer_that_fills_the_place_is_asked_for() {
        for (place, expected) in [
            (size(1, 1), 0),
            (size(320, 180), 0),
            (size(380, 214), 0),
            (size(400, 225), 1),
            (size(640, 360), 1),
            (size(360, 640), 1),
            (size(800, 450), 2),
            (size(u16::MAX, u16::MAX), 2),
        ] {
            assert_eq!(layer_for(place, &layers()), expected, "{place:?}");
        }
    }

    #[test]
    fn what_is_not_known_is_half_of_the_next() {
        let known = [None, Some(size(500, 500)), None];
        let expected = [size(250, 250), size(500, 500), size(1000, 1000)];
        assert_eq!(sizes(&known)[..3], expected);
        let usual = [size(320, 180), size(640, 360), size(1280, 720)];
        assert_eq!(sizes(&[None; 3])[..3], usual);
    }
}
