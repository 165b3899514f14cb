module github.com/gosctp/gosctp

go 1.25.0
