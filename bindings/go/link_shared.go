//go:build !kvlight_static

package kvlight

// Links the library that pkg-config finds.

// #cgo pkg-config: kvlight
import "C"
