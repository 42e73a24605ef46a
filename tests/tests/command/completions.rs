//! What a shell completes.

use hotcell_tests::binary;
use std::process::Command;

fn completions(shell: &str) -> String {
    let binary = binary().expect("build the command first");
    let output = Command::new(binary).args(["completions", shell]).output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

#[test]
fn bash_completes_commands_and_options() {
    let completed = |words: &str, place: usize| {
        let script = format!(
            "{}\nCOMP_WORDS=({words}); COMP_CWORD={place}\n\
             _hotcell hotcell \"${{COMP_WORDS[{place}]}}\" \"${{COMP_WORDS[{place}-1]}}\"\n\
             echo \"${{COMPREPLY[@]}}\"",
            completions("bash")
        );
        let output = Command::new("bash").args(["-c", &script]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(completed("hotcell insp", 1), "inspect\n");
    assert_eq!(completed("hotcell run --mete", 2), "--metering\n");
}

#[test]
fn other_shells_are_told_every_command() {
    for shell in ["zsh", "fish"] {
        let text = completions(shell);
        for command in ["run", "serve", "completions"] {
            assert!(text.contains(command), "{shell}: {command}");
        }
    }
}
