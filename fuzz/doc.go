// Package fuzz holds the fuzz targets that look at more than one package or
// at whole packets, with their seed corpora in testdata/fuzz. It exports
// nothing. The seeds run in the ordinary test; to search on from them:
//
//	go test -fuzz FuzzPacket ./fuzz
package fuzz
