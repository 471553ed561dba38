package main

import (
	"testing"

	"opentalk/plugins/sdk/sdktest"
)

func TestGuard(t *testing.T) {
	chat, err := sdktest.New(guard, sdktest.Options{Wire: true})
	if err != nil {
		t.Fatal(err)
	}
	defer chat.Close()
	if f := chat.Registered()[0].Filters[0]; !f.Required {
		t.Error("a message is sent without its leave")
	}
	for text, drop := range map[string]bool{
		"hello":                                     false,
		"call me at +49 170 1234567":                false,
		"order 4111 1111 1111 1112":                 false,
		"0000 0000 0000 0000":                       false,
		"block 3fa9c1 of 1764053318000":             false,
		"pay with 4111 1111 1111 1111, until 12/30": true,
		"5500-0055-5555-5559":                       true,
		"378282246310005":                           true,
		"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl": true,
		"-----BEGIN PRIVATE KEY-----":               true,
		"-----BEGIN PUBLIC KEY-----":                false,
		"key AKIAIOSFODNN7EXAMPLE":                  true,
	} {
		r, err := chat.Type(text)
		if err != nil || r.Dropped != drop || drop == (r.Reason == "") || !drop && r.Text != text {
			t.Errorf("%q: %+v, %v", text, r, err)
		}
	}
}
