module github.com/kvlight/kvlight/bindings/go/tests

go 1.19

require github.com/kvlight/kvlight/bindings/go v0.0.0

replace github.com/kvlight/kvlight/bindings/go => ../
