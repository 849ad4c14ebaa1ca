//go:build kvlight_static

package kvlight

// Links the archive in this module, with its header: the published module has an archive for each platform.

// #cgo CFLAGS: -I${SRCDIR}/lib
// #cgo linux,amd64 LDFLAGS: ${SRCDIR}/lib/linux_amd64/libkvlight.a -lpthread -ldl -lm
// #cgo linux,arm64 LDFLAGS: ${SRCDIR}/lib/linux_arm64/libkvlight.a -lpthread -ldl -lm
// #cgo darwin,amd64 LDFLAGS: ${SRCDIR}/lib/darwin_amd64/libkvlight.a
// #cgo darwin,arm64 LDFLAGS: ${SRCDIR}/lib/darwin_arm64/libkvlight.a
import "C"
