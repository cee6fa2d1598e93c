// Package runtime is the memory that the host and the plugin hand to each other.
package runtime

import (
	"runtime"
	"unsafe"
)

// Allocate gives memory that stays where it is until the pinner lets go of it. It holds no pointers that the collector would
// have to know of.
func Allocate(pinner *runtime.Pinner, size, align uintptr) unsafe.Pointer {
	if size == 0 {
		return nil
	}
	// Words of eight bytes: no type of the contract is aligned to more.
	words := make([]uint64, (size+7)/8)
	pointer := unsafe.Pointer(unsafe.SliceData(words))
	pinner.Pin(pointer)
	return pointer
}

// given is what the host has written into since the last Unpin.
var given runtime.Pinner

// Unpin lets go of it: the strings that were made of it hold it from then on.
func Unpin() {
	given.Unpin()
}

// started says whether Go's own memory is there yet.
var started bool

func init() {
	started = true
}

//go:linkname sbrk runtime.sbrk
func sbrk(n uintptr) unsafe.Pointer

//go:wasmimport wasi_snapshot_preview1 adapter_monotonic_clock_set_paused
func pauseClock(paused bool)

// The host asks for memory here, to put a value into. It may do so before Go has started: then the memory comes from below Go.
// Nothing of the host may be called meanwhile, but a collection of garbage reads the clock: so the adapter answers with the time
// that it knows.
//
//go:wasmexport cabi_realloc
func reallocate(old unsafe.Pointer, oldSize, align, size uintptr) unsafe.Pointer {
	if old != nil || oldSize != 0 {
		panic("the host never makes a piece larger")
	}
	if !started {
		start := uintptr(sbrk(size + align))
		return unsafe.Pointer((start + align - 1) &^ (align - 1))
	}
	pauseClock(true)
	pointer := Allocate(&given, size, align)
	pauseClock(false)
	return pointer
}
