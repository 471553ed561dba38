package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"
)

// The password of the plugin may come as that of the server, by PASS, or as that of an account, by SASL PLAIN: some clients can
// only do the one, some only the other. What the account is called does not matter.

func (c *session) pass(r request) {
	if c.registered {
		c.reply("462", "You have registered already")
		return
	}
	c.passed = c.right(r.Params[0])
}

// right reports whether a password is the right one, which any is where none is set.
func (c *session) right(given string) bool {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(c.password))
	return c.password == "" || subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// turnAway lets a client go, so that whoever tries passwords has to connect for each.
func (c *session) turnAway(code string) {
	c.reply(code, "The password is wrong, or missing")
	c.end("Closing link: wrong password")
}

// authenticate takes first that the client will say its password by PLAIN, then the password.
func (c *session) authenticate(r request) {
	said := r.Params[0]
	switch {
	case c.registered:
		c.reply("907", "You have registered already")
	case said == "*":
		c.authenticating = false
		c.reply("906", "Given up")
	case c.authenticating:
		c.authenticating = false
		text, err := base64.StdEncoding.DecodeString(said)
		parts := strings.Split(string(text), "\x00") // whose account, who says so, the password
		if err != nil || len(parts) != 3 || !c.right(parts[2]) {
			c.turnAway("904")
			return
		}
		c.passed = true
		c.reply("900", c.source(c.me.Fingerprint), c.me.Fingerprint, "You are who you are")
		c.reply("903", "The password is right")
	case strings.EqualFold(said, "PLAIN"):
		c.authenticating = true
		c.send("", "AUTHENTICATE", "+")
	default:
		c.reply("908", "PLAIN", "is the only way")
		c.reply("904", "Not taken")
	}
}
