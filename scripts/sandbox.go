package scripts

import (
	lua "github.com/yuin/gopher-lua"
)

// removed are functions of Lua's base library that read files, load code, or reach around the sandbox.
var removed = []string{
	"dofile", "loadfile", "load", "loadstring", "require", "module", "collectgarbage", "newproxy", "getfenv", "setfenv",
	"_printregs", "print",
}

// newState returns a Lua state with the base, table, string, math and coroutine libraries, and nothing that leads out.
func newState() *lua.LState {
	l := lua.NewState(lua.Options{
		SkipOpenLibs: true, CallStackSize: maxStack, MinimizeStackMemory: true,
		RegistrySize: 1 << 10, RegistryMaxSize: maxRegistry, RegistryGrowStep: 1 << 10,
	})
	for _, lib := range []struct {
		name string
		open lua.LGFunction
	}{
		{lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}, {lua.StringLibName, lua.OpenString},
		{lua.MathLibName, lua.OpenMath}, {lua.CoroutineLibName, lua.OpenCoroutine},
	} {
		l.Push(l.NewFunction(lib.open))
		l.Push(lua.LString(lib.name))
		l.Call(1, 0)
	}
	for _, name := range removed {
		l.SetGlobal(name, lua.LNil)
	}
	return l
}
