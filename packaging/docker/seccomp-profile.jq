# True for a seccomp profile of the form that Docker reads, with the promises of ours.

def is_one_of($set): . as $it | $set | index($it) != null;
def has_only($keys): (keys_unsorted - $keys) == [];
def is_sorted_set: . == unique and length > 0;

def argument:
  has_only(["index", "value", "valueTwo", "op"])
  and (.index | type == "number" and . >= 0 and . <= 5)
  # Beyond 2^53 a reader of JSON may round.
  and (.value | type == "number" and . >= 0 and . < 9007199254740992 and . == floor)
  and (.op | is_one_of(["SCMP_CMP_EQ", "SCMP_CMP_MASKED_EQ"]))
  and (.op != "SCMP_CMP_MASKED_EQ" or (.valueTwo | type == "number"));

def rule:
  has_only(["comment", "names", "action", "errnoRet", "args"])
  and (.comment | type == "string" and length > 0)
  and (.names | type == "array" and is_sorted_set and all(type == "string"))
  and (.action | is_one_of(["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"]))
  and (.action == "SCMP_ACT_ALLOW" or (.errnoRet | type == "number"))
  and ((.args // []) | all(argument));

# Calls with many uses are allowed with an argument rule only, and some not at all.
def never: [
  "add_key", "bpf", "clone3", "delete_module", "finit_module", "init_module", "io_uring_setup", "kexec_load",
  "keyctl", "open_by_handle_at", "perf_event_open", "pidfd_getfd", "process_vm_readv", "process_vm_writev",
  "ptrace", "request_key", "setns", "socket", "connect", "bind", "userfaultfd"
];
def with_arguments: ["clone", "ioctl", "socketpair", "unshare"];
def needed: [
  "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self", "memfd_create", "mount", "mount_setattr",
  "move_mount", "open_tree", "pivot_root", "seccomp", "setpgid", "umount2", "unshare"
];

# Flags of clone and unshare, from linux/sched.h. No two share a bit, so that adding them is or-ing them.
def namespaces:
  { user: 268435456, mount: 131072, network: 1073741824, ipc: 134217728, uts: 67108864, pid: 536870912,
    cgroup: 33554432 };
# CLONE_VM is how a worker asks whether it has one thread.
def clone_vm: 256;
def only(flags): [{ index: 0, value: (4294967295 - flags), valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }];
def none_of(flags): [{ index: 0, value: flags, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }];
def arguments_of($name): [.syscalls[] | select(.names | index($name)) | .args];

[.syscalls[] | select(.action == "SCMP_ACT_ALLOW") | .names[]] as $allowed
| [.syscalls[] | select(.action == "SCMP_ACT_ALLOW" and (.args // []) == []) | .names[]] as $bare
| has_only(["defaultAction", "defaultErrnoRet", "archMap", "syscalls"])
  and .defaultAction == "SCMP_ACT_ERRNO"
  and .defaultErrnoRet == 1
  and .archMap == [{ "architecture": "SCMP_ARCH_X86_64", "subArchitectures": [] }]
  and (.syscalls | all(rule))
  and ($bare | length == (unique | length))
  and ($allowed - never == $allowed)
  and ($bare - with_arguments == $bare)
  and (needed - $allowed == [])
  and arguments_of("unshare") == [only((namespaces | add) + clone_vm)]
  and arguments_of("clone") == [none_of(namespaces | add)]
