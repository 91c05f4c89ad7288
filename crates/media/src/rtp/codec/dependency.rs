//! The dependency descriptor (AV1 RTP specification, appendix A): to which layers a frame belongs, and which
//! receivers need it. It never changes anything but the frame's number, and a structure has at most 64 templates.

use super::bits::Bits;

/// Templates that a structure can have: their number has six bits.
const TEMPLATES: usize = 64;

/// Decode targets that a structure can have: their number has five bits.
const TARGETS: usize = 32;

/// What a frame is to a decode target, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Indication {
    /// Not for it.
    NotPresent,
    /// For it, but no later frame of it leans on this one.
    Discardable,
    /// For it; and whoever has it can take every later frame of the target.
    Switch,
    /// For it.
    Required,
}

/// The indications of one frame, two bits for each decode target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Indications(u64);

impl Indications {
    fn set(&mut self, target: usize, indication: u64) {
        self.0 |= (indication & 3) << (2 * target);
    }

    /// What the frame is to this decode target.
    pub(crate) fn of(self, target: usize) -> Indication {
        let bits = u32::try_from(2 * target)
            .ok()
            .and_then(|shift| self.0.checked_shr(shift));
        match bits.unwrap_or(0) & 3 {
            0 => Indication::NotPresent,
            1 => Indication::Discardable,
            2 => Indication::Switch,
            _ => Indication::Required,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Template {
    spatial: u8,
    temporal: u8,
    indications: Indications,
}

/// What the frames of a stream are made after, from one key frame to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Structure {
    id_offset: u8,
    templates: Vec<Template>,
    /// The layers of each decode target: spatial, temporal.
    targets: Vec<(u8, u8)>,
}

impl Structure {
    /// The decode target with the most layers within these; of those above, the lowest, if none is so low.
    pub(crate) fn target_within(&self, spatial: u8, temporal: u8) -> Option<u8> {
        let fits = |layers: &(u8, u8)| layers.0 <= spatial && layers.1 <= temporal;
        let targets = || self.targets.iter().zip(0_u8..);
        targets()
            .filter(|(layers, _)| fits(layers))
            .max_by_key(|(layers, _)| **layers)
            .or_else(|| targets().min_by_key(|(layers, _)| **layers))
            .map(|(_, target)| target)
    }

    /// The highest spatial layer of a decode target.
    pub(crate) fn spatial_of(&self, target: u8) -> u8 {
        self.targets
            .get(usize::from(target))
            .map_or(0, |layers| layers.0)
    }
}

/// What a packet's descriptor says of its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptor {
    /// The packet is the first of its frame.
    pub(crate) starts_frame: bool,
    /// The packet is the last of its frame, which is that of one spatial layer.
    pub(crate) ends_frame: bool,
    pub(crate) spatial: u8,
    pub(crate) temporal: u8,
    pub(crate) indications: Indications,
}

/// Where the frame's number is in the descriptor.
const FRAME_NUMBER_AT: std::ops::Range<usize> = 1..3;

/// A descriptor under another frame number. An extension has 255 bytes at most.
pub(crate) struct Renumbered {
    bytes: [u8; 255],
    length: usize,
}

impl Renumbered {
    pub(crate) fn new(descriptor: &[u8], frame_number: u16) -> Self {
        let mut bytes = [0; 255];
        let length = descriptor.len().min(bytes.len());
        bytes[..length].copy_from_slice(&descriptor[..length]);
        if length >= FRAME_NUMBER_AT.end {
            bytes[FRAME_NUMBER_AT].copy_from_slice(&frame_number.to_be_bytes());
        }
        Self { bytes, length }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// The frame's number: in every descriptor, whatever the structure.
pub(crate) fn frame_number(descriptor: &[u8]) -> Option<u16> {
    let number = descriptor.get(FRAME_NUMBER_AT)?;
    Some(u16::from_be_bytes(number.try_into().ok()?))
}

/// The structure in a descriptor, which is in force from this packet on: key frames have one.
pub(crate) fn structure(descriptor: &[u8]) -> Option<Structure> {
    const PRESENT: u8 = 0x80;
    descriptor
        .get(FRAME_NUMBER_AT.end)
        .filter(|flags| *flags & PRESENT != 0)?;
    Fields::read(descriptor, None)?.structure
}

/// Read a descriptor. `None` if it is broken, or has no structure and that in force is not known.
pub(crate) fn read(descriptor: &[u8], in_force: Option<&Structure>) -> Option<Descriptor> {
    let fields = Fields::read(descriptor, in_force)?;
    let structure = fields.structure.as_ref().or(in_force)?;
    let index = (fields.template_id + TEMPLATES - usize::from(structure.id_offset)) % TEMPLATES;
    let template = *structure.templates.get(index)?;
    Some(Descriptor {
        starts_frame: fields.starts_frame,
        ends_frame: fields.ends_frame,
        spatial: template.spatial,
        temporal: template.temporal,
        indications: fields.indications.unwrap_or(template.indications),
    })
}

/// A descriptor as far as it is read: the frame's own references and chains come last, and are of no use here.
struct Fields {
    starts_frame: bool,
    ends_frame: bool,
    template_id: usize,
    structure: Option<Structure>,
    /// The frame's own, where its template's do not fit.
    indications: Option<Indications>,
}

impl Fields {
    fn read(descriptor: &[u8], in_force: Option<&Structure>) -> Option<Self> {
        let mut bits = Bits::new(descriptor);
        let mut fields = Self {
            starts_frame: bits.flag()?,
            ends_frame: bits.flag()?,
            template_id: bits.read(6)? as usize,
            structure: None,
            indications: None,
        };
        let _frame_number = bits.read(16)?;
        if descriptor.len() <= FRAME_NUMBER_AT.end {
            return Some(fields);
        }
        let has_structure = bits.flag()?;
        let has_active_targets = bits.flag()?;
        let has_indications = bits.flag()?;
        let _has_references = bits.flag()?;
        let _has_chains = bits.flag()?;
        if has_structure {
            fields.structure = Some(read_structure(&mut bits)?);
        }
        let targets = || Some(fields.structure.as_ref().or(in_force)?.targets.len());
        if has_active_targets {
            bits.read(targets()? as u32)?;
        }
        if has_indications {
            fields.indications = Some(read_indications(&mut bits, targets()?)?);
        }
        Some(fields)
    }
}

fn read_indications(bits: &mut Bits<'_>, targets: usize) -> Option<Indications> {
    let mut indications = Indications::default();
    for target in 0..targets {
        indications.set(target, bits.read(2)?.into());
    }
    Some(indications)
}

fn read_structure(bits: &mut Bits<'_>) -> Option<Structure> {
    let id_offset = bits.read(6)? as u8;
    let targets = bits.read(5)? as usize + 1;
    let mut templates = read_layers(bits)?;
    for template in &mut templates {
        template.indications = read_indications(bits, targets)?;
    }
    // The frames that each template leans on.
    for _ in &templates {
        while bits.flag()? {
            bits.read(4)?;
        }
    }
    skip_chains(bits, targets, templates.len())?;
    if bits.flag()? {
        let spatial_layers = templates.last()?.spatial + 1;
        for _ in 0..spatial_layers {
            bits.read(32)?;
        }
    }
    let targets = (0..targets).map(|target| layers(&templates, target));
    Some(Structure {
        id_offset,
        targets: targets.collect(),
        templates,
    })
}

/// The layers of each template, in rising order.
fn read_layers(bits: &mut Bits<'_>) -> Option<Vec<Template>> {
    let mut templates = Vec::new();
    let (mut spatial, mut temporal) = (0, 0);
    loop {
        if templates.len() == TEMPLATES {
            return None;
        }
        templates.push(Template {
            spatial,
            temporal,
            indications: Indications::default(),
        });
        match bits.read(2)? {
            0 => {}
            1 => temporal += 1,
            2 => {
                temporal = 0;
                spatial += 1;
            }
            _ => return Some(templates),
        }
    }
}

/// Chains tell what is lost for whom; the forwarder mends what is lost whoever it is for.
fn skip_chains(bits: &mut Bits<'_>, targets: usize, templates: usize) -> Option<()> {
    let chains = bits.read_below(targets as u32 + 1)?;
    if chains > 0 {
        for _ in 0..targets {
            bits.read_below(chains)?;
        }
        for _ in 0..templates {
            bits.read(4 * chains)?;
        }
    }
    Some(())
}

/// The highest layers that a decode target has.
fn layers(templates: &[Template], target: usize) -> (u8, u8) {
    debug_assert!(target < TARGETS);
    templates
        .iter()
        .filter(|template| template.indications.of(target) != Indication::NotPresent)
        .fold((0, 0), |(spatial, temporal), template| {
            (
                template.spatial.max(spatial),
                template.temporal.max(temporal),
            )
        })
}

#[cfg(test)]
pub(crate) mod tests;
