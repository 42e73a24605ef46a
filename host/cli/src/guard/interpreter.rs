//! The Python interpreter that runs a guarded program, and the program.

use super::no_package;
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Has an interpreter say where it and its packages are. The package is found and not imported: its imports start threads and
/// take a while.
const ASK: &str = r#"
import importlib.util, sys
found = importlib.util.find_spec("hotcell")
if found is None or not found.submodule_search_locations: sys.exit(3)
spec = importlib.util.spec_from_file_location("places", found.submodule_search_locations[0] + "/_places.py")
places = importlib.util.module_from_spec(spec)
spec.loader.exec_module(places)
print(places.told())
"#;
/// What it ends with where it has no such package.
const NO_PACKAGE: i32 = 3;

/// What an interpreter says of itself.
#[derive(Deserialize)]
pub(crate) struct Interpreter {
    pub(crate) executable: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) read: Vec<PathBuf>,
    environment: BTreeMap<String, String>,
    setup: Value,
}

impl Interpreter {
    /// Asks it. It is the caller's own, and runs as any program of theirs.
    pub(crate) fn ask(python: &str) -> Result<Self> {
        let asked = Command::new(python)
            .args(["-I", "-c", ASK])
            .output()
            .with_context(|| format!("{python} cannot be started"))?;
        if asked.status.code() == Some(NO_PACKAGE) {
            return Err(no_package(python));
        }
        let words = String::from_utf8_lossy(&asked.stderr);
        ensure!(
            asked.status.success(),
            "{python} is no Python that could be asked where its packages are: {}",
            words.trim().lines().last().unwrap_or("it says nothing")
        );
        let told: Self = serde_json::from_slice(&asked.stdout)
            .with_context(|| format!("{python} says something else than where its packages are"))?;
        if told.arguments.is_empty() {
            return Err(no_package(python));
        }
        Ok(told)
    }

    /// What it is to do behind its walls, and run then.
    pub(crate) fn setup(&self, environment: &BTreeMap<String, String>, program: Value) -> String {
        let mut setup = self.setup.clone();
        let mut variables = self.environment.clone();
        variables.extend(environment.clone());
        setup["environment"] = json!(variables);
        setup["program"] = program;
        setup.to_string()
    }
}

/// What is run.
pub(crate) struct Program {
    pub(crate) interpreter: String,
    /// Its file, if it has one.
    pub(crate) script: Option<PathBuf>,
    what: What,
    arguments: Vec<String>,
}

enum What {
    Script,
    Module(String),
    Code(String),
}

impl Program {
    /// Reads a command line: the interpreter, and what it is started with.
    pub(crate) fn read(words: &[String]) -> Result<Self> {
        let (interpreter, rest) = words.split_first().context("no program is named")?;
        let (what, script, arguments) = match rest {
            [] => bail!(
                "{interpreter} would wait for a program to be typed: name one, {interpreter} script.py"
            ),
            [flag, module, arguments @ ..] if flag == "-m" => {
                (What::Module(module.clone()), None, arguments)
            }
            [flag, code, arguments @ ..] if flag == "-c" => {
                (What::Code(code.clone()), None, arguments)
            }
            [flag, ..] if flag.starts_with('-') => {
                bail!(
                    "`{flag}` is no option that a guarded program can be started with: -m and -c are, and a file's name"
                )
            }
            [script, arguments @ ..] => {
                let path = Path::new(script);
                let path = path.canonicalize().with_context(|| script.clone())?;
                (What::Script, Some(path), arguments)
            }
        };
        Ok(Self {
            interpreter: interpreter.clone(),
            script,
            what,
            arguments: arguments.to_vec(),
        })
    }

    /// What it is called.
    pub(crate) fn name(&self) -> String {
        match (&self.what, &self.script) {
            (What::Module(module), _) => format!("-m {module}"),
            (What::Code(_), _) | (What::Script, None) => "-c".to_owned(),
            (What::Script, Some(script)) => match script.file_name() {
                Some(name) => name.to_string_lossy().into_owned(),
                None => script.display().to_string(),
            },
        }
    }

    /// As the guarded interpreter is told.
    pub(crate) fn words(&self) -> Value {
        let first = match (&self.what, &self.script) {
            (What::Code(_), _) => "-c".to_owned(),
            (What::Module(_), _) => "-m".to_owned(),
            (_, Some(script)) => script.display().to_string(),
            (What::Script, None) => String::new(),
        };
        let mut argv = vec![first];
        argv.extend(self.arguments.iter().cloned());
        let mut words = json!({ "argv": argv });
        match &self.what {
            What::Script => words["path"] = json!(self.script),
            What::Module(module) => words["module"] = json!(module),
            What::Code(code) => words["code"] = json!(code),
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Program> {
        Program::read(
            &words
                .iter()
                .map(|word| (*word).to_owned())
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn a_program_is_a_file_a_module_or_code() {
        let module = read(&["python3", "-m", "timeit", "-n", "1"]).unwrap();
        assert_eq!(module.name(), "-m timeit");
        assert_eq!(module.words()["argv"], json!(["-m", "-n", "1"]));
        let code = read(&["python3", "-c", "pass"]).unwrap();
        assert_eq!(code.words()["code"], "pass");
        for (words, says) in [
            (&["python3"][..], "would wait"),
            (&["python3", "-i", "x.py"], "`-i`"),
            (&["python3", "/nowhere/x.py"], "/nowhere/x.py"),
        ] {
            let error = read(words).err().map(|error| format!("{error:#}"));
            assert!(
                error.as_ref().is_some_and(|error| error.contains(says)),
                "{error:?}"
            );
        }
    }

    #[test]
    fn an_interpreter_that_is_none_is_said_so() {
        for (python, says) in [
            ("/nowhere/python", "cannot be started"),
            ("/bin/false", "is no Python"),
        ] {
            let error = Interpreter::ask(python)
                .err()
                .map(|error| format!("{error:#}"));
            assert!(
                error.as_ref().is_some_and(|error| error.contains(says)),
                "{error:?}"
            );
        }
    }
}
