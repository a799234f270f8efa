//! Capture and graphs.

use std::ffi::c_int;
use std::sync::Arc;

use super::{exports, give};
use crate::op::Op;
use crate::{code, count};

exports! {
    fn cuStreamBeginCapture_v2(stream: usize, mode: u32) |driver| {
        driver.stream(stream)?.begin_capture(mode)
    }

    fn cuStreamEndCapture(stream: usize, graph: *mut usize) |driver| {
        give(graph, 0);
        let ops = driver.stream(stream)?.end_capture(driver)?;
        count::add("live:graph", 1);
        give(graph, driver.graphs.add(ops));
        Ok(())
    }

    fn cuStreamIsCapturing(stream: usize, status: *mut c_int) |driver| {
        let stream = driver.stream(stream)?;
        give(status, stream.with_capture(|c| c.as_ref().map_or(0, |c| if c.spoiled { 2 } else { 1 })));
        Ok(())
    }

    fn cuGraphInstantiateWithFlags(executable: *mut usize, graph: usize, _flags: u64) |driver| {
        let ops = driver.graphs.get(graph)?;
        count::add("live:executable", 1);
        give(executable, driver.executables.add(ops.to_vec()));
        Ok(())
    }

    fn cuGraphGetNodes(graph: usize, nodes: *mut usize, number: *mut usize) |driver| {
        if !nodes.is_null() {
            return Err(code::INVALID_VALUE);
        }
        give(number, driver.graphs.get(graph)?.len());
        Ok(())
    }

    fn cuGraphUpload(executable: usize, _stream: usize) |driver| {
        driver.executables.get(executable).map(|_| ())
    }

    fn cuGraphLaunch(executable: usize, stream: usize) |driver| {
        let ops = driver.executables.get(executable)?;
        let kernels = ops.iter().filter(|op| matches!(op, Op::Kernel(_))).count();
        (0..kernels).try_for_each(|_| driver.may_launch())?;
        driver.stream(stream)?.take(Op::Graph(Arc::clone(&ops)))
    }

    fn cuGraphExecDestroy(executable: usize) |driver| {
        driver.executables.remove(executable)?;
        count::less("live:executable", 1);
        Ok(())
    }

    fn cuGraphDestroy(graph: usize) |driver| {
        driver.graphs.remove(graph)?;
        count::less("live:graph", 1);
        Ok(())
    }
}
