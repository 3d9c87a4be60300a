//! The serial line: frames with a checksum, messages in them, and what a board prints.

use bitflags::bitflags;
use bytes::{Buf, BufMut, BytesMut};
use fb_core_types::PROTOCOL_VERSION;
use fb_macros::Describe;
use prost::Message as _;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use snafu::{ensure, ResultExt, Snafu};
use tokio_util::codec::{Decoder, Encoder};
use winnow::ascii::{alphanumeric1, float, space0};
use winnow::combinator::{separated, separated_pair};
use winnow::Parser;

#[derive(Debug, Snafu)]
pub enum SerialError {
    #[snafu(display("checksum {found:08x}, expected {expected:08x}"))]
    Checksum { found: u32, expected: u32 },
    #[snafu(display("the board speaks protocol {version}"))]
    Protocol { version: u16 },
    #[snafu(display("unreadable message"))]
    Message { source: postcard::Error },
    #[snafu(display("unreadable sample"))]
    Sample { source: prost::DecodeError },
    #[snafu(context(false), display("the line broke"))]
    Io { source: std::io::Error },
}

bitflags! {
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Flags: u8 {
        const ACK_WANTED = 1;
        const LAST = 2;
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Describe)]
pub enum Message {
    Hello { version: u16 },
    Block { address: u32, data: Vec<u8>, flags: Flags },
    Reset,
}

/// What a running board reports about itself.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Sample {
    #[prost(uint64, tag = "1")]
    pub uptime_ms: u64,
    #[prost(float, tag = "2")]
    pub celsius: f32,
    #[prost(string, tag = "3")]
    pub state: String,
}

impl Sample {
    pub fn from_wire(bytes: &[u8]) -> Result<Self, SerialError> {
        Self::decode(bytes).context(SampleSnafu)
    }

    pub fn to_wire(&self) -> Vec<u8> {
        self.encode_to_vec()
    }
}

/// Length, protocol, checksum, message.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameCodec;

const HEADER: usize = 4 + 2 + 4;

impl Encoder<Message> for FrameCodec {
    type Error = SerialError;

    fn encode(&mut self, message: Message, out: &mut BytesMut) -> Result<(), SerialError> {
        let body = postcard::to_stdvec(&message).context(MessageSnafu)?;
        out.reserve(HEADER + body.len());
        out.put_u32(body.len() as u32);
        out.put_u16(PROTOCOL_VERSION);
        out.put_u32(crc32fast::hash(&body));
        out.put_slice(&body);
        Ok(())
    }
}

impl Decoder for FrameCodec {
    type Item = Message;
    type Error = SerialError;

    fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Message>, SerialError> {
        let Some(mut header) = input.get(..HEADER) else {
            return Ok(None);
        };
        let length = header.get_u32() as usize;
        let version = header.get_u16();
        let expected = header.get_u32();
        ensure!(version == PROTOCOL_VERSION, ProtocolSnafu { version });
        if input.len() < HEADER + length {
            return Ok(None);
        }
        input.advance(HEADER);
        let body = input.split_to(length);
        let found = crc32fast::hash(&body);
        ensure!(found == expected, ChecksumSnafu { found, expected });
        postcard::from_bytes(&body).context(MessageSnafu).map(Some)
    }
}

/// Most boards print fewer than four values a line.
pub type Readings<'a> = SmallVec<[(&'a str, f64); 4]>;

/// Reads `temp=21.5, light=80`; `None` for any other text.
pub fn readings(line: &str) -> Option<Readings<'_>> {
    let pair = separated_pair(alphanumeric1::<_, winnow::error::ContextError>, '=', float);
    let pairs: Vec<(&str, f64)> = separated(1.., pair, (',', space0)).parse(line.trim()).ok()?;
    Some(Readings::from_vec(pairs))
}

/// Cuts an image into the blocks that a board's loader takes.
pub fn blocks(image: &[u8], size: usize) -> Vec<Message> {
    let count = image.len().div_ceil(size);
    let block = |(i, part): (usize, &[u8])| Message::Block {
        address: (i * size) as u32,
        data: part.to_vec(),
        flags: if i + 1 == count { Flags::ACK_WANTED | Flags::LAST } else { Flags::ACK_WANTED },
    };
    image.chunks(size).enumerate().map(block).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_the_line() {
        let mut line = BytesMut::new();
        for message in blocks(&[7; 300], 128) {
            FrameCodec.encode(message, &mut line).unwrap();
        }
        let mut seen = Vec::new();
        while let Some(message) = FrameCodec.decode(&mut line).unwrap() {
            seen.push(message);
        }
        assert_eq!(seen, blocks(&[7; 300], 128));
    }

    #[test]
    fn readings_are_parsed() {
        assert_eq!(readings("temp=21.5, light=80").unwrap()[1], ("light", 80.0));
        assert!(readings("boot ok").is_none());
    }
}
