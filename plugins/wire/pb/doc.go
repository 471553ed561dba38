// Package pb is the Go code of opentalk.proto, made by "make proto"; only [wire] uses it.
// Whoever wants to know what a message means reads the .proto, or HOOKS.md.
package pb
