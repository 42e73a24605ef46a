//! Random sources in C, for what relocations there are: data that point at data and at functions, calls through tables of them, zeros, weak
//! symbols, alignments, tables of jumps, recursion.

use std::fmt::Write as _;

/// How many kernels a program has, `k0` and so on: each takes a number, an array and its length.
pub(super) const KERNELS: u32 = 3;
const FUNCTIONS: usize = 6;
const ARRAYS: usize = 5;

struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % most
    }
}

/// A program; the same for a seed each time.
pub(super) fn program(seed: usize) -> String {
    let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (seed as u64 + 1).wrapping_mul(0xd129_0d3b));
    let mut text = String::from(
        "typedef int (*function)(int);\n\
         extern int nobody __attribute__((weak));\n\
         struct part { const char *words; int *array; function call; long long number; };\n",
    );
    for array in 0..ARRAYS {
        let (len, align) = (1 + random.below(70), 4 << random.below(5));
        let kind = ["", "static ", "static const "][random.below(3)];
        let values: Vec<String> = (0..random.below(len + 1))
            .map(|_| random.below(1000).to_string())
            .collect();
        // Some are zero, and one is large.
        let zeros = if array == 3 { 4000 } else { 0 };
        let values = if values.is_empty() || array == 3 {
            String::from("0")
        } else {
            values.join(",")
        };
        let _ = writeln!(
            text,
            "{kind}int a{array}[{}] __attribute__((aligned({align}))) = {{{values}}};\n#define LEN{array} {}",
            len + zeros,
            len + zeros
        );
    }
    for function in 0..FUNCTIONS {
        let _ = writeln!(text, "static int f{function}(int x);");
    }
    let names: Vec<String> = (0..4)
        .map(|_| format!("f{}", random.below(FUNCTIONS)))
        .collect();
    let _ = writeln!(
        text,
        "static const function calls[4] = {{{}}};",
        names.join(",")
    );
    for part in 0..3 {
        let array = random.below(ARRAYS);
        let _ = writeln!(
            text,
            "static struct part p{part} = {{\"part {part} of {}\", (int *)a{array} + LEN{array} / 2, f{}, {}LL}};",
            random.below(100),
            random.below(FUNCTIONS),
            random.below(1 << 30) << 10
        );
    }
    let _ = writeln!(text, "static struct part *parts[3] = {{&p2, &p0, &p1}};");
    for function in 0..FUNCTIONS {
        let body = body(&mut random, function);
        let inline = ["", "__attribute__((noinline)) "][random.below(2)];
        let _ = writeln!(text, "{inline}static int f{function}(int x) {{ {body} }}");
    }
    for kernel in 0..KERNELS {
        let (call, part) = (random.below(FUNCTIONS), random.below(3));
        let _ = writeln!(
            text,
            "void k{kernel}(int s, int *out, unsigned n) {{\n\
               for (unsigned i = 0; i < n; i++) {{\n\
                 struct part *p = parts[(i + s) % 3u];\n\
                 out[i] = f{call}(s + i) + calls[(i ^ s) & 3](i) + p->words[i & 3] + p->array[0] + (int)(p->number >> (i & 31));\n\
                 out[i] += p->call(s) + (&nobody ? 1000 : 0) + (int)(((unsigned long)p{part}.array & 3));\n\
                 if (i % 5 == 2) __builtin_memcpy(out + i / 2, out + i, 4);\n\
               }}\n\
             }}"
        );
    }
    text
}

/// What a function does; it only calls what is further on, itself once smaller, or nothing.
fn body(random: &mut Random, function: usize) -> String {
    let array = random.below(ARRAYS);
    let element = format!("a{array}[(unsigned)x % LEN{array}]");
    match random.below(6) {
        0 => format!("return {element} * 3 + x;"),
        1 => format!("return x > 0 && x < 20 ? f{function}(x - 1) + {element} : {element};"),
        2 => {
            let cases: Vec<String> = (0..9)
                .map(|case| format!("case {case}: return {} + {element};", random.below(500)))
                .collect();
            format!(
                "switch (x & 15) {{ {} default: return x; }}",
                cases.join(" ")
            )
        }
        3 if function + 1 < FUNCTIONS => format!("return f{}(x ^ 5) - {element};", function + 1),
        4 => format!("float y = x * 0.25f; return (int)(y * 8) + {element};"),
        _ => format!(
            "const char *w = \"function {function}\"; return w[(unsigned)x % 9] + {element};"
        ),
    }
}
