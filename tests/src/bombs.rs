//! Components that are small and cost much to compile or to look at. Written byte by byte: no tool makes them.

/// An unsigned number as WebAssembly writes it (LEB128).
fn number(mut value: usize, out: &mut Vec<u8>) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        out.push(if value == 0 { byte } else { byte | 0x80 });
        if value == 0 {
            return;
        }
    }
}

fn sized(content: &[u8], out: &mut Vec<u8>) {
    number(content.len(), out);
    out.extend_from_slice(content);
}

/// A section: its id, its length, the number of its items, its items.
pub fn section(id: u8, count: usize, items: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    number(count, &mut content);
    content.extend_from_slice(items);
    let mut section = vec![id];
    sized(&content, &mut section);
    section
}

/// A core module of sections.
pub fn module(sections: &[Vec<u8>]) -> Vec<u8> {
    [b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat()
}

/// A component of sections.
pub fn component(sections: &[Vec<u8>]) -> Vec<u8> {
    [b"\0asm\x0d\0\x01\0".to_vec(), sections.concat()].concat()
}

/// A component that holds some modules and passes for a plugin until it is linked.
pub fn plugin_of(modules: &[Vec<u8>]) -> Vec<u8> {
    let mut sections: Vec<Vec<u8>> = modules
        .iter()
        .map(|module| {
            let mut section = vec![1];
            sized(module, &mut section);
            section
        })
        .collect();
    // An instance without exports, exported under the contract's name.
    sections.push(section(5, 1, &[1, 0]));
    let mut export = vec![0];
    sized(b"orch:task/runner@0.1.0", &mut export);
    export.extend_from_slice(&[5, 0, 0]);
    sections.push(section(11, 1, &export));
    component(&sections)
}

/// A module with `bodies` as functions of type `() -> ()` and the imports, tables and memories that they need.
fn functions(bodies: &[Vec<u8>]) -> Vec<u8> {
    let types = section(1, 1, &[0x60, 0, 0]);
    let declared = section(3, bodies.len(), &vec![0; bodies.len()]);
    let mut code = Vec::new();
    bodies.iter().for_each(|body| sized(body, &mut code));
    module(&[types, declared, section(10, bodies.len(), &code)])
}

/// `locals` locals of type i32, then instructions, then the end.
fn body(locals: usize, instructions: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    if locals == 0 {
        out.push(0);
    } else {
        out.push(1);
        number(locals, &mut out);
        out.push(0x7f);
    }
    out.extend_from_slice(instructions);
    out.push(0x0b);
    out
}

/// `count` functions of `depth` loops, each in the one before.
pub fn nested_loops(depth: usize, count: usize) -> Vec<u8> {
    let loops = [[0x03, 0x40].repeat(depth), vec![0x0b; depth]].concat();
    functions(&vec![body(0, &loops); count])
}

/// A function of `depth` blocks in each other.
pub fn nested_blocks(depth: usize) -> Vec<u8> {
    functions(&[body(0, &[[0x02, 0x40].repeat(depth), vec![0x0b; depth]].concat())])
}

/// `count` functions of `length` blocks, one after the other, each with a conditional way out.
pub fn chained_blocks(length: usize, count: usize) -> Vec<u8> {
    // block; local.get 0; br_if 0; local.get 0; i32.const 1; i32.add; local.set 0; end
    let one = [0x02, 0x40, 0x20, 0, 0x0d, 0, 0x20, 0, 0x41, 1, 0x6a, 0x21, 0, 0x0b];
    functions(&vec![body(1, &one.repeat(length)); count])
}

/// A function of `length` conditions, each of which may change one of `locals` locals.
pub fn ifs_over_locals(length: usize, locals: usize) -> Vec<u8> {
    let mut code = Vec::new();
    for at in 0..length {
        // local.get A; if; local.get B; i32.const 1; i32.add; local.set A; end
        let (a, b) = (at % locals, (at * 7 + 1) % locals);
        code.push(0x20);
        number(a, &mut code);
        code.extend_from_slice(&[0x04, 0x40, 0x20]);
        number(b, &mut code);
        code.extend_from_slice(&[0x41, 1, 0x6a, 0x21]);
        number(a, &mut code);
        code.push(0x0b);
    }
    functions(&[body(locals, &code)])
}

/// `count` functions that do next to nothing.
pub fn many_functions(count: usize) -> Vec<u8> {
    functions(&vec![body(1, &[0x20, 0, 0x41, 1, 0x6a, 0x21, 0]); count])
}

/// `count` functions with `calls` calls each, between which `live` locals are changed in turn and all needed to the end.
pub fn calls_with_live_values(calls: usize, live: usize, count: usize) -> Vec<u8> {
    let mut code = Vec::new();
    for at in 0..calls {
        // call the last function; local.get A; i32.const 1; i32.add; local.set A
        code.push(0x10);
        number(count, &mut code);
        code.push(0x20);
        number(at % live, &mut code);
        code.extend_from_slice(&[0x41, 1, 0x6a, 0x21]);
        number(at % live, &mut code);
    }
    for at in 0..live {
        // local.get A; local.get B; i32.div_u; drop: a division may trap, so it stays
        code.push(0x20);
        number(at, &mut code);
        code.push(0x20);
        number((at + 1) % live, &mut code);
        code.extend_from_slice(&[0x6e, 0x1a]);
    }
    functions(&[vec![body(live, &code); count], vec![body(0, &[])]].concat())
}

/// `count` functions of `tables` jumps with `targets` targets each, every one another block.
pub fn jump_tables(count: usize, tables: usize, targets: usize) -> Vec<u8> {
    // block × targets; local.get 0; br_table 0 1 2 …; end × targets
    let mut one = [0x02, 0x40].repeat(targets);
    one.extend_from_slice(&[0x20, 0, 0x0e]);
    number(targets - 1, &mut one);
    (0..targets).for_each(|target| number(target, &mut one));
    // After each block something to do, so that no two targets are the same.
    one.extend_from_slice(&[0x0b, 0x20, 0, 0x41, 1, 0x6a, 0x21, 0].repeat(targets));
    functions(&vec![body(1, &one.repeat(tables)); count])
}

/// A module that imports `count` functions without a name.
pub fn many_imports(count: usize) -> Vec<u8> {
    module(&[section(1, 1, &[0x60, 0, 0]), section(2, count, &[0, 0, 0, 0].repeat(count))])
}

/// A module with `count` types.
pub fn many_types(count: usize) -> Vec<u8> {
    module(&[section(1, count, &[0x60, 0, 0].repeat(count))])
}

/// A module with `count` exports of one function.
pub fn many_exports(count: usize) -> Vec<u8> {
    let mut names = Vec::new();
    for at in 0..count {
        sized(format!("{at:x}").as_bytes(), &mut names);
        names.extend_from_slice(&[0, 0]);
    }
    let code = section(10, 1, &[2, 0, 0x0b]);
    module(&[section(1, 1, &[0x60, 0, 0]), section(3, 1, &[0]), section(7, count, &names), code])
}
