//! Streams and events.

use std::ffi::{c_int, c_void};

use super::{exports, give};
use crate::event::Event;
use crate::op::{Op, wait_for};
use crate::stream::Stream;
use crate::{Answer, capture, code, count, driver::Driver};

const DISABLE_TIMING: u32 = 2;

fn create(driver: &'static Driver, stream: *mut usize) -> Answer {
    // The table wants to own it, and so does its thread.
    let new = Stream::new(driver.options.delay, false);
    count::add("live:stream", 1);
    give(stream, driver.streams.add_shared(new));
    Ok(())
}

fn destroy(driver: &Driver, stream: usize) -> Answer {
    driver.streams.remove(stream)?.close();
    count::less("live:stream", 1);
    Ok(())
}

/// What a wait ends with: all is well, or something that ran has broken the device.
fn after(driver: &Driver) -> Answer {
    if driver.is_broken() { Err(code::ILLEGAL_ADDRESS) } else { Ok(()) }
}

exports! {
    fn cuStreamCreate(stream: *mut usize, _flags: u32) |driver| {
        create(driver, stream)
    }

    fn cuStreamCreateWithPriority(stream: *mut usize, _flags: u32, _priority: c_int) |driver| {
        create(driver, stream)
    }

    fn cuStreamDestroy_v2(stream: usize) |driver| {
        destroy(driver, stream)
    }

    // GStreamer 1.22 still asks for it by this name.
    fn cuStreamDestroy(stream: usize) |driver| {
        destroy(driver, stream)
    }

    fn cuStreamSynchronize(stream: usize) |driver| {
        let stream = driver.stream(stream)?;
        if stream.is_capturing() {
            stream.spoil();
            return Err(code::CAPTURE_UNSUPPORTED);
        }
        stream.wait_all();
        after(driver)
    }

    fn cuStreamQuery(stream: usize) |driver| {
        let stream = driver.stream(stream)?;
        if stream.is_capturing() {
            stream.spoil();
            return Err(code::CAPTURE_UNSUPPORTED);
        }
        if stream.is_idle() { after(driver) } else { Err(code::NOT_READY) }
    }

    fn cuStreamWaitEvent(stream: usize, event: usize, _flags: u32) |driver| {
        let event = driver.events.get(event)?;
        driver.stream(stream)?.take(wait_for(&event)?)
    }

    fn cuLaunchHostFunc(
        stream: usize,
        function: Option<unsafe extern "C" fn(*mut c_void)>,
        data: *mut c_void,
    ) |driver| {
        let function = function.ok_or(code::INVALID_VALUE)?;
        driver.stream(stream)?.take(Op::Host { function, data: data as usize })
    }

    fn cuEventCreate(event: *mut usize, flags: u32) |driver| {
        capture::refuse()?;
        count::add("live:event", 1);
        give(event, driver.events.add(Event::new(flags & DISABLE_TIMING == 0)));
        Ok(())
    }

    fn cuEventDestroy_v2(event: usize) |driver| {
        driver.events.remove(event)?;
        count::less("live:event", 1);
        Ok(())
    }

    fn cuEventRecord(event: usize, stream: usize) |driver| {
        let event = driver.events.get(event)?;
        driver.stream(stream)?.take(Op::Record(event))
    }

    fn cuEventQuery(event: usize) |driver| {
        match driver.events.get(event)?.place()? {
            Some((stream, ticket)) if !stream.is_done(ticket) => Err(code::NOT_READY),
            _ => after(driver),
        }
    }

    fn cuEventSynchronize(event: usize) |driver| {
        if let Some((stream, ticket)) = driver.events.get(event)?.place()? {
            stream.wait(ticket);
        }
        after(driver)
    }

    fn cuEventElapsedTime(ms: *mut f32, start: usize, end: usize) |driver| {
        let (start, end) = (driver.events.get(start)?, driver.events.get(end)?);
        give(ms, start.elapsed_ms(&end)?);
        Ok(())
    }
}
