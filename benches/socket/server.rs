//! A server of prebuilt frames on a thread of its own, which does nothing but write.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use super::shared::{Pace, Tape, Times, frame, pin, trades};

pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) tape: Arc<Tape>,
    pub(crate) times: Arc<Times>,
    over: Arc<AtomicBool>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Server {
    /// Sends the trades to whoever asks for a path with `market` in it; others get nothing.
    pub(crate) fn start(tape: &Arc<Tape>, pace: Pace) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let times = Times::new(&tape.trades);
        let over = Arc::new(AtomicBool::new(false));
        let own = Self {
            port,
            tape: Arc::clone(tape),
            times: Arc::clone(&times),
            over: Arc::clone(&over),
        };
        let frames = Arc::new(Frames { tape: Arc::clone(tape), times, pace });
        std::thread::spawn(move || {
            pin(0);
            while let Ok((socket, _)) = listener.accept() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let frames = Arc::clone(&frames);
                std::thread::spawn(move || serve(socket, &frames));
            }
        });
        own
    }
}

/// The tape of so many trades, so many times as fast as a day's.
pub(crate) fn tape(count: usize, faster: i64) -> Arc<Tape> {
    let (trades, mut ends, mut bytes) = (trades(count, faster), Vec::new(), Vec::new());
    for trade in &trades {
        put(&mut bytes, frame(trade).as_bytes());
        ends.push(bytes.len());
    }
    Arc::new(Tape { trades, bytes, ends })
}

struct Frames {
    tape: Arc<Tape>,
    times: Arc<Times>,
    pace: Pace,
}

/// A text frame, unmasked.
fn put(out: &mut Vec<u8>, text: &[u8]) {
    out.push(0x81);
    match u8::try_from(text.len()) {
        Ok(length) if length < 126 => out.push(length),
        _ => {
            out.push(126);
            out.extend_from_slice(&u16::try_from(text.len()).unwrap().to_be_bytes());
        }
    }
    out.extend_from_slice(text);
}

fn serve(socket: TcpStream, frames: &Frames) {
    socket.set_nodelay(true).unwrap();
    let mut path = String::new();
    #[expect(clippy::result_large_err, reason = "the library's own signature")]
    let look = |request: &Request, response: Response| {
        path = request.uri().path().to_owned();
        Ok(response)
    };
    let Ok(mut socket) = tokio_tungstenite::tungstenite::accept_hdr(socket, look) else { return };
    let socket = socket.get_mut();
    if path.contains("market") {
        let _ = match frames.pace {
            Pace::FlatOut => flat_out(socket, frames),
            Pace::PerSecond(rate) => steadily(socket, frames, rate, spin),
            Pace::Gently(rate) => steadily(socket, frames, rate, sleep),
        };
    }
    // Open until the client goes.
    let _ = socket.read_to_end(&mut Vec::new());
}

fn flat_out(socket: &mut TcpStream, frames: &Frames) -> std::io::Result<()> {
    frames.tape.bytes.chunks(1 << 16).try_for_each(|chunk| socket.write_all(chunk))
}

fn spin(until: Instant) {
    while Instant::now() < until {
        std::hint::spin_loop();
    }
}

fn sleep(until: Instant) {
    std::thread::sleep(until.saturating_duration_since(Instant::now()));
}

/// One write a frame, and something else in between.
fn steadily(
    socket: &mut TcpStream,
    frames: &Frames,
    rate: u64,
    wait: fn(Instant),
) -> std::io::Result<()> {
    let step = Duration::from_nanos(1_000_000_000 / rate);
    let mut next = Instant::now() + Duration::from_millis(200);
    let mut start = 0;
    for (place, end) in frames.tape.ends.iter().enumerate() {
        wait(next);
        next += step;
        frames.times.send(place);
        socket.write_all(&frames.tape.bytes[start..*end])?;
        start = *end;
    }
    Ok(())
}
