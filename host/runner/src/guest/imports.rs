//! What a guest can call: `arrays` and `failure` always, a capability's functions when it is granted.
//!
//! Every interface is linked, since a component imports what any of its entries uses; what this launch's entry
//! was not granted ends it when it is called, before anything else is done.
//!
//! All are registered by hand. Generated bindings would make owned copies of lists and strings, and so
//! let a guest make the host allocate; here the guest's bytes are viewed where they lie, every call is
//! counted before it does anything, and every size is charged before it is allocated.

use super::Guest;
use super::capabilities::{LINKS, Link};
use super::wasi;
use crate::arrays::{self, Input, Output, check_range};
use crate::lent::{Lent, LentRange};
use crate::mapping::{FilePlace, OutputPlace};
use crate::meter::EXPLANATION_BYTES;
use crate::output::OutputBuffer;
use hotcell_model::component::PACKAGE_VERSIONS;
use hotcell_model::text;
use wasmtime::component::{
    Component, Linker, LinkerInstance, Resource, ResourceType, WasmList, WasmStr,
};
use wasmtime::{Engine, Result, StoreContextMut};

pub(crate) type Store<'a> = StoreContextMut<'a, Guest>;

/// What registers an interface's functions.
pub(crate) type LinkInterface = fn(&mut LinkerInstance<'_, Guest>) -> Result<()>;

/// A linker with every interface of this host, under each version that it implements: what a version has, each later
/// one has as well, so one set of functions serves them all. Those of WASI are many, and are there for who imports one.
pub(crate) fn linker(engine: &Engine, component: &Component) -> Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    for version in PACKAGE_VERSIONS {
        let mut link_all = |interface: &str, link: LinkInterface| {
            link(&mut linker.instance(&format!("{interface}@{version}"))?)
        };
        link_all("hotcell:kernel/arrays", link_arrays)?;
        link_all("hotcell:kernel/failure", failure)?;
        for (capability, link) in &LINKS {
            if let Link::Own(link) = link {
                link_all(capability.interface(), *link)?;
            }
        }
    }
    let has_wasi = LINKS.iter().any(|(_, link)| matches!(link, Link::Wasi));
    if has_wasi && wasi::is_imported(component, engine) {
        wasi::link(&mut linker)?;
    }
    Ok(linker)
}

fn link_arrays(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.resource("input", ResourceType::host::<Input>(), |mut store, rep| {
        let guest = store.data_mut();
        guest.handles.delete(Resource::<Input>::new_own(rep))?;
        guest.body.input_dropped();
        Ok(())
    })?;
    interface.resource(
        "output",
        ResourceType::host::<Output>(),
        |mut store, rep| {
            store
                .data_mut()
                .handles
                .delete(Resource::<Output>::new_own(rep))?;
            Ok(())
        },
    )?;
    interface.func_wrap(
        "[method]input.read",
        |mut store: Store<'_>, (input, offset, len): (Resource<Input>, u64, u32)| {
            Ok((read(store.data_mut(), &input, offset, len)?,))
        },
    )?;
    interface.func_wrap(
        "[method]input.size-bytes",
        |mut store: Store<'_>, (input,): (Resource<Input>,)| {
            let guest = store.data_mut();
            guest.charge_host_call()?;
            Ok((guest.handles.get(&input)?.source.len_bytes(),))
        },
    )?;
    interface.func_wrap(
        "[method]output.write",
        |store: Store<'_>, (output, offset, data): (Resource<Output>, u64, WasmList<u8>)| {
            write(store, &output, offset, &data)
        },
    )?;
    interface.func_wrap(
        "[method]output.buffer",
        |mut store: Store<'_>, (output, offset, len): (Resource<Output>, u64, u32)| {
            Ok((buffer(store.data_mut(), &output, offset, len)?,))
        },
    )?;
    interface.func_wrap(
        "[method]output.size-bytes",
        |mut store: Store<'_>, (output,): (Resource<Output>,)| {
            let guest = store.data_mut();
            guest.charge_host_call()?;
            let position = guest.handles.get(&output)?.position;
            Ok((guest.outputs[position].len() as u64,))
        },
    )
}

fn read(guest: &mut Guest, input: &Resource<Input>, offset: u64, len: u32) -> Result<Lent> {
    guest.charge_host_call()?;
    let input = guest.handles.get(input)?;
    let source = input.source.clone();
    let place = input.pages.clone().map(|file| FilePlace {
        file,
        offset: input.start_bytes + offset,
    });
    check_range("read", offset, len.into(), source.len_bytes())?;
    guest.check_can_hold(len)?;
    guest.charge_bytes_in(len.into())?;
    Ok(guest.lend(LentRange::Input(source, offset), len, place))
}

fn buffer(guest: &mut Guest, output: &Resource<Output>, offset: u64, len: u32) -> Result<Lent> {
    guest.charge_host_call()?;
    let position = guest.handles.get(output)?.position;
    let output = &guest.outputs[position];
    check_range("fill", offset, len.into(), output.len() as u64)?;
    let place = output.place(offset);
    guest.check_can_hold(len)?;
    let range = LentRange::Output(OutputPlace { position, offset });
    Ok(guest.lend(range, len, place))
}

fn write(
    mut store: Store<'_>,
    output: &Resource<Output>,
    offset: u64,
    data: &WasmList<u8>,
) -> Result<()> {
    let guest = store.data_mut();
    guest.body.output_written();
    guest.charge_host_call()?;
    let position = guest.handles.get(output)?.position;
    let len = data.len() as u64;
    check_range("write", offset, len, guest.outputs[position].len() as u64)?;
    guest.charge_bytes_out(len)?;
    // Taken out for the copy: the guest's memory and its state are borrowed from one store.
    let mut bytes = std::mem::take(&mut guest.outputs[position]);
    let written = put(&store, &mut bytes, OutputPlace { position, offset }, data);
    store.data_mut().outputs[position] = bytes;
    written
}

/// Puts the guest's bytes where they belong in an output, as far as they are not there already.
fn put(
    store: &Store<'_>,
    output: &mut OutputBuffer,
    place: OutputPlace,
    data: &WasmList<u8>,
) -> Result<()> {
    let (guest, data) = (store.data(), data.as_le_slice(store));
    let mut mappings = guest.mappings.lock();
    let there = mappings.hand_back(data, place);
    let from = &data[there..];
    let to = arrays::as_index(place.offset) + there..arrays::as_index(place.offset) + data.len();
    if !mappings.are_shared(from) {
        output.as_mut_slice()[to].copy_from_slice(from);
        return Ok(());
    }
    // Pages of an output that are given back at another place: the two may be the same memory under two addresses, of
    // which the optimiser knows nothing. It must not make one copy of these two.
    let mut copy = guest.charged(u32::try_from(from.len())?)?;
    copy.as_mut().copy_from_slice(from);
    output.as_mut_slice()[to].copy_from_slice(std::hint::black_box(copy.as_ref()));
    Ok(())
}

fn failure(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap("explain", |mut store: Store<'_>, (message,): (WasmStr,)| {
        store.data_mut().charge_host_call()?;
        if store.data().explanation.is_none() {
            let words = text::escape(&message.to_str(&store)?, EXPLANATION_BYTES);
            store.data_mut().explanation = Some(words);
        }
        Ok(())
    })
}
