//! A switch between network interfaces, in this process: it carries Ethernet frames from one to the other, late, or not
//! at all, as the test says. It needs neither netem nor a packet filter, which many kernels lack.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use pnet_datalink::{Channel, Config, DataLinkReceiver, DataLinkSender, NetworkInterface};

/// What happens to frames of one direction between two ports.
#[derive(Clone, Copy, Default)]
pub struct Link {
    pub cut: bool,
    pub delay: Duration,
    pub loss_percent: u64,
}

struct Frame {
    to: usize,
    bytes: Vec<u8>,
}

pub struct Switch {
    links: Arc<Mutex<Vec<Vec<Link>>>>,
    stop: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

/// The address of a port's other end; who sends and who is meant is read from it.
pub fn hardware_address(port: usize) -> String {
    format!("02:cc:00:00:00:{:02x}", port + 1)
}

impl Switch {
    /// Between these interfaces, in their order.
    pub fn start(interfaces: &[String]) -> Result<Self, String> {
        let all = pnet_datalink::interfaces();
        let links = Arc::new(Mutex::new(vec![vec![Link::default(); interfaces.len()]; interfaces.len()]));
        let stop = Arc::new(AtomicBool::new(false));
        let (frames, arriving) = mpsc::channel();
        let (mut senders, mut threads) = (Vec::new(), Vec::new());
        for (port, name) in interfaces.iter().enumerate() {
            let interface = all.iter().find(|i| i.name == *name).ok_or(format!("{name} is missing"))?;
            let (sender, receiver) = open(interface)?;
            senders.push(sender);
            let (links, stop, frames) = (links.clone(), stop.clone(), frames.clone());
            threads.push(std::thread::spawn(move || receive(port, receiver, &links, &stop, &frames)));
        }
        let stopping = stop.clone();
        threads.push(std::thread::spawn(move || send(senders, &arriving, &stopping)));
        Ok(Self { links, stop, threads })
    }

    /// Sets every direction anew.
    pub fn set(&self, link: impl Fn(usize, usize) -> Link) {
        let mut links = self.links.lock().unwrap();
        for (from, row) in links.iter_mut().enumerate() {
            for (to, cell) in row.iter_mut().enumerate() {
                *cell = link(from, to);
            }
        }
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

type Ends = (Box<dyn DataLinkSender>, Box<dyn DataLinkReceiver>);

fn open(interface: &NetworkInterface) -> Result<Ends, String> {
    let timeout = Some(Duration::from_millis(50));
    let config =
        Config { read_timeout: timeout, read_buffer_size: 1 << 17, write_buffer_size: 1 << 17, ..Config::default() };
    match pnet_datalink::channel(interface, config) {
        Ok(Channel::Ethernet(sender, receiver)) => Ok((sender, receiver)),
        Ok(_) => Err(format!("{} is no Ethernet interface", interface.name)),
        Err(e) => Err(format!("{} cannot be opened: {e}", interface.name)),
    }
}

fn receive(
    port: usize,
    mut receiver: Box<dyn DataLinkReceiver>,
    links: &Mutex<Vec<Vec<Link>>>,
    stop: &AtomicBool,
    frames: &mpsc::Sender<(Instant, Frame)>,
) {
    let mut chance = 0x9e37_79b9_7f4a_7c15u64.wrapping_mul(port as u64 + 1);
    while !stop.load(Ordering::Relaxed) {
        let Ok(bytes) = receiver.next() else { continue };
        // What this switch sent itself comes by here too.
        if bytes.len() < 14 || bytes[6..11] != [2, 0xcc, 0, 0, 0] || usize::from(bytes[11]) != port + 1 {
            continue;
        }
        let bytes = with_checksum(bytes.to_vec());
        let row = links.lock().unwrap()[port].clone();
        let is_for_all = bytes[0] & 1 == 1;
        for (to, link) in row.into_iter().enumerate().filter(|(to, _)| *to != port) {
            if !is_for_all && usize::from(bytes[5]) != to + 1 {
                continue;
            }
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            if !link.cut && chance % 100 >= link.loss_percent {
                let _ = frames.send((Instant::now() + link.delay, Frame { to, bytes: bytes.clone() }));
            }
        }
    }
}

fn send(mut senders: Vec<Box<dyn DataLinkSender>>, arriving: &mpsc::Receiver<(Instant, Frame)>, stop: &AtomicBool) {
    let mut waiting: BinaryHeap<Reverse<(Instant, u64)>> = BinaryHeap::new();
    let (mut held, mut order) = (std::collections::HashMap::new(), 0u64);
    while !stop.load(Ordering::Relaxed) {
        let next = waiting.peek().map(|Reverse((due, _))| due.saturating_duration_since(Instant::now()));
        if let Ok((due, frame)) = arriving.recv_timeout(next.unwrap_or(Duration::from_millis(50))) {
            order += 1;
            waiting.push(Reverse((due, order)));
            held.insert(order, frame);
        }
        while let Some(Reverse((due, _))) = waiting.peek()
            && *due <= Instant::now()
        {
            let Some(frame) = waiting.pop().and_then(|Reverse((_, order))| held.remove(&order)) else { break };
            // A frame that cannot be sent is a frame that was lost.
            let _ = senders[frame.to].send_to(&frame.bytes, None);
        }
    }
}

/// Virtual interfaces leave checksums to hardware that is not there; whoever reads a frame in between must fill them in.
fn with_checksum(mut frame: Vec<u8>) -> Vec<u8> {
    let is_ipv4 = frame.len() >= 34 && frame[12..14] == [8, 0] && frame[14] >> 4 == 4;
    if !is_ipv4 {
        return frame;
    }
    let header = usize::from(frame[14] & 15) * 4;
    let total = usize::from(u16::from_be_bytes([frame[16], frame[17]]));
    let place = match frame[23] {
        6 => 16,
        17 => 6,
        _ => return frame,
    };
    let (start, end) = (14 + header, 14 + total);
    if frame.len() < end || end < start + place + 2 {
        return frame;
    }
    frame[start + place..start + place + 2].fill(0);
    let length = (end - start) as u16;
    let mut sum = u32::from(frame[23]) + u32::from(length);
    for pair in frame[26..34].chunks(2).chain(frame[start..end].chunks(2)) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    frame[start + place..start + place + 2].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    frame
}
