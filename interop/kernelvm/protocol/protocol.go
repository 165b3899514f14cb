// Package protocol is what the host and the init of its VM have agreed on.
package protocol

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"
)

const (
	// Port is where the guest takes requests, on its control address.
	Port = "7100"
	// PowerOff in place of a program ends the VM.
	PowerOff = "poweroff"
	// ConfigArgument is the kernel argument with a Config.
	ConfigArgument = "gosctp="
	// Grace is how long a program may go on after the end of its input.
	Grace = 15 * time.Second
)

// A Config is what the guest has to set up.
type Config struct {
	Modules string // folder of the kernel's modules
	Control string // the guest's address on the control link
	Lanes   int
}

// Argument returns the kernel argument for a Config.
func (c Config) Argument() string {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // it has nothing that could fail
	}
	return ConfigArgument + base64.RawURLEncoding.EncodeToString(b)
}

// ParseConfig reads what follows ConfigArgument.
func ParseConfig(s string) (c Config, err error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(b, &c)
}

// Lane returns the name of a lane's namespace in the guest; lanes count from 1.
func Lane(i int) string { return "lane" + strconv.Itoa(i) }

// Links returns the numbers of a lane's two devices; number 0 is the control link.
func Links(lane int) [2]int { return [2]int{2*lane - 1, 2 * lane} }

// LaneDevice returns the name of a lane's device, 0 or 1, in its namespace.
func LaneDevice(link int) string { return "sctp" + strconv.Itoa(link) }

// Device returns the name of the device below it.
func Device(n int) string { return "vec" + strconv.Itoa(n) }

// A Request asks for a program to be run in a lane. It is one line of JSON.
type Request struct {
	Netns string
	Argv  []string
	Env   []string
}
