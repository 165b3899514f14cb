package socketapi

// Payload protocol identifiers (IANA's registry), in host byte order, as
// SendInfo and RecvInfo have them.
const (
	PPIDUnspecified       uint32 = 0
	PPIDIUA               uint32 = 1
	PPIDM2UA              uint32 = 2
	PPIDM3UA              uint32 = 3
	PPIDSUA               uint32 = 4
	PPIDM2PA              uint32 = 5
	PPIDV5UA              uint32 = 6
	PPIDH248              uint32 = 7
	PPIDBICC              uint32 = 8
	PPIDTALI              uint32 = 9
	PPIDDUA               uint32 = 10
	PPIDASAP              uint32 = 11
	PPIDENRP              uint32 = 12
	PPIDH323              uint32 = 13
	PPIDQIPC              uint32 = 14
	PPIDS1AP              uint32 = 18
	PPIDRUA               uint32 = 19
	PPIDHNBAP             uint32 = 20
	PPIDSBcAP             uint32 = 24
	PPIDNBAP              uint32 = 25
	PPIDX2AP              uint32 = 27
	PPIDIRCP              uint32 = 28
	PPIDLCSAP             uint32 = 29
	PPIDSABP              uint32 = 31
	PPIDEcho              uint32 = 38
	PPIDDiscard           uint32 = 39
	PPIDRNA               uint32 = 42
	PPIDM2AP              uint32 = 43
	PPIDM3AP              uint32 = 44
	PPIDSSH               uint32 = 45
	PPIDDiameter          uint32 = 46
	PPIDDiameterDTLS      uint32 = 47
	PPIDWebRTCDCEP        uint32 = 50
	PPIDWebRTCString      uint32 = 51
	PPIDWebRTCBinary      uint32 = 53
	PPIDWebRTCStringEmpty uint32 = 56
	PPIDWebRTCBinaryEmpty uint32 = 57
	PPIDXwAP              uint32 = 58
	PPIDNGAP              uint32 = 60
	PPIDXnAP              uint32 = 61
	PPIDF1AP              uint32 = 62
	PPIDE1AP              uint32 = 64
	PPIDNGAPDTLS          uint32 = 66
	PPIDXnAPDTLS          uint32 = 67
	PPIDF1APDTLS          uint32 = 68
	PPIDE1APDTLS          uint32 = 69
	PPIDE2CP              uint32 = 70
	PPIDE2UP              uint32 = 71
	PPIDE2DU              uint32 = 72
	PPIDW1AP              uint32 = 73
)
