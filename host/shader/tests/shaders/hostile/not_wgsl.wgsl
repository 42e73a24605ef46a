// entry: main, expect: refused, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// something else altogether
#version 450
layout(local_size_x = 1) in;
void main() { }
