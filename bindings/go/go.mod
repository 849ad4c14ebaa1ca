module github.com/kvlight/kvlight/bindings/go

go 1.19
