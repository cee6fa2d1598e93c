// Package wit_types has the types of the contract that Go has none of its own for. The generated bindings name them as they are here.
package wit_types

const (
	OptionNone = 0
	OptionSome = 1
)

// Option is a value or none.
type Option[T any] struct {
	there bool
	value T
}

func Some[T any](value T) Option[T] {
	return Option[T]{there: true, value: value}
}

func None[T any]() Option[T] {
	return Option[T]{}
}

func (option Option[T]) Tag() uint8 {
	if option.there {
		return OptionSome
	}
	return OptionNone
}

// Some is the value; without one it is a bug of who calls it.
func (option Option[T]) Some() T {
	if !option.there {
		panic("an option without a value")
	}
	return option.value
}

const (
	ResultOk  = 0
	ResultErr = 1
)

// Result is what was wanted, or an error.
type Result[T any, E any] struct {
	failed bool
	value  T
	err    E
}

func Ok[T any, E any](value T) Result[T, E] {
	return Result[T, E]{value: value}
}

func Err[T any, E any](err E) Result[T, E] {
	return Result[T, E]{failed: true, err: err}
}

func (result Result[T, E]) Tag() uint8 {
	if result.failed {
		return ResultErr
	}
	return ResultOk
}

// Ok is what was wanted; of an error it is a bug of who calls it.
func (result Result[T, E]) Ok() T {
	if result.failed {
		panic("a result that is an error")
	}
	return result.value
}

// Err is the error; without one it is a bug of who calls it.
func (result Result[T, E]) Err() E {
	if !result.failed {
		panic("a result that is no error")
	}
	return result.err
}

// Tuple2 is a pair.
type Tuple2[A any, B any] struct {
	F0 A
	F1 B
}
