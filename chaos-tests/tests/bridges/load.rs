//! The kernel takes every object of a release.

use aya::{Ebpf, EbpfLoader, programs::Program};
use evermesh_loader::{Object, Part};
use evermesh_pins::Hook;

use crate::layout::Release;

fn load(bytes: &[u8]) {
    let mut object: Ebpf = EbpfLoader::new().load(bytes).unwrap();
    for hook in Hook::ALL {
        match object.program_mut(hook.name()).unwrap() {
            Program::CgroupSockAddr(program) => program.load().unwrap(),
            Program::CgroupSock(program) => program.load().unwrap(),
            other => panic!("{hook} is of kind {:?}", other.prog_type()),
        }
    }
}

#[test]
fn the_kernel_takes_bridges_between_layouts_that_differ() {
    let parts = Part::ALL.map(|part| (Release::wider(), part)).into_iter();
    let of_another_kind = Part::ALL.into_iter().filter(|part| *part != Part::Level);
    for (release, part) in parts.chain(of_another_kind.map(|part| (Release::variant("lru"), part))) {
        load(release.object.part(part).unwrap());
    }
}

#[test]
fn the_kernel_takes_all_parts_of_this_release() {
    Part::ALL.into_iter().for_each(|part| load(Object::default().part(part).unwrap()));
}
