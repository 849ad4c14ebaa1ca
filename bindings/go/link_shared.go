//go:build !kvlight_static

package kvlight

// The library as pkg-config knows it.

// #cgo pkg-config: kvlight
import "C"
