//! What was said on streams, to be told again. A file is a sequence of messages: one byte, then a message with its length
//! before it, as a varint. The byte is 0 where a new stream begins (the message is empty), 1 for a request of the client and 2
//! for a response of the server. The summary beside it says the same for people.

use std::{collections::HashMap, fmt::Write as _, fs, path::Path, time::Instant};

use evermesh_proto::discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, Resource};
use prost::Message;

#[derive(Clone, Copy)]
enum Kind {
    Begin = 0,
    Request = 1,
    Response = 2,
}

/// Messages in their order, and the story.
pub struct Recording {
    messages: Vec<u8>,
    count: usize,
    summary: String,
    since: Instant,
    /// By type and name. Nothing is forgotten.
    last: HashMap<(String, String), Resource>,
}

impl Recording {
    pub fn new(title: &str) -> Self {
        let summary = format!(
            "{title}\nNumbers are those of messages in the file, from 1; times are milliseconds since the step began.\n"
        );
        Self { messages: Vec::new(), count: 0, summary, since: Instant::now(), last: HashMap::new() }
    }

    /// Says in the summary what happens next.
    pub fn step(&mut self, what: &str) {
        self.since = Instant::now();
        self.tell(&format!("\n# {what}"));
    }

    pub fn begin(&mut self) {
        self.add(Kind::Begin, &(), "-- a new stream");
    }

    pub fn request(&mut self, request: &DeltaDiscoveryRequest) {
        let mut line = format!("-> {}", short(&request.type_url));
        if !request.initial_resource_versions.is_empty() {
            let _ = write!(line, ", claims {} resources", request.initial_resource_versions.len());
        }
        match &request.error_detail {
            Some(detail) => line += &format!(", NACK: {}", detail.message),
            None if request.response_nonce.is_empty() => line += ", subscribes to all",
            None => line += ", ACK",
        }
        self.add(Kind::Request, request, &format!("{line} ({} bytes)", request.encoded_len()));
    }

    pub fn response(&mut self, at: Instant, response: &DeltaDiscoveryResponse) {
        let after = at.saturating_duration_since(self.since).as_millis();
        let bytes = response.encoded_len();
        let line = format!("<- {} after {after} ({bytes} bytes)", short(&response.type_url));
        self.add(Kind::Response, response, &line);
        for resource in &response.resources {
            let key = (response.type_url.clone(), resource.name.clone());
            let is_known = self.last.insert(key, resource.clone()).as_ref() == Some(resource);
            let again = if is_known { " (as before)" } else { "" };
            self.tell(&format!("     + {} {:?}{again}", resource.name, resource.version));
        }
        for name in &response.removed_resources {
            self.tell(&format!("     - {name}"));
        }
    }

    /// Writes the messages to `file`, and the summary beside it.
    pub fn write(&self, file: &Path) {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, &self.messages).unwrap();
        fs::write(file.with_extension("xds.txt"), &self.summary).unwrap();
    }

    fn add(&mut self, kind: Kind, message: &impl Message, line: &str) {
        self.messages.push(kind as u8);
        message.encode_length_delimited(&mut self.messages).unwrap();
        self.count += 1;
        self.tell(&format!("{:3} {line}", self.count));
    }

    fn tell(&mut self, line: &str) {
        println!("{line}");
        self.summary += line;
        self.summary += "\n";
    }
}

fn short(type_url: &str) -> &str {
    type_url.rsplit('.').next().unwrap_or(type_url)
}
