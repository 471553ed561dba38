package identity

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// canary is a secret that every encoding shows in a way of its own: no byte is printable or has fewer than two hex and three
// decimal digits.
func canary() []byte {
	b := make([]byte, 32)
	for i := range b {
		b[i] = byte(0x80 + 37*i%128)
	}
	return b
}

// needles are the ways in which part of a secret can show itself.
func needles(secret []byte) []string {
	part := secret[8:20]
	var dec, hex0x, octal, hexes []string
	for _, c := range part {
		dec = append(dec, fmt.Sprint(c))
		hex0x = append(hex0x, fmt.Sprintf("%#x", c))
		octal = append(octal, fmt.Sprintf("%o", c))
		hexes = append(hexes, fmt.Sprintf("%x", c))
	}
	out := []string{
		string(part), strings.Trim(fmt.Sprintf("%q", part), `"`), hex.EncodeToString(part),
		strings.Join(dec, " "), strings.Join(dec, ","), strings.Join(dec, ", "), strings.Join(hex0x, ", "),
		strings.Join(octal, " "), strings.Join(hexes, " "),
	}
	for shift := range 3 {
		s := base64.RawStdEncoding.EncodeToString(secret[shift : shift+18])
		out = append(out, s, strings.NewReplacer("+", "-", "/", "_").Replace(s))
	}
	return out
}

// leaked returns the needle found in what some output shows, if there is one.
func leaked(output string, secrets ...[]byte) string {
	low := strings.ToLower(output)
	for _, s := range secrets {
		for _, n := range needles(s) {
			if strings.Contains(output, n) || len(n) == 24 && strings.Contains(low, n) {
				return n
			}
		}
	}
	return ""
}

// outputs renders v in every way that a careless line of code can.
func outputs(v any) map[string]string {
	out := make(map[string]string)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "% x", "%q", "%d", "%o", "%b", "%c", "%U", "%t", "%e", "%p", "%T", "%#x", "%+q"} {
		out[verb] = fmt.Sprintf(verb, v)
	}
	out["Errorf"] = fmt.Errorf("wrapped: %w %v", fmt.Errorf("%s", v), v).Error()
	if b, err := json.Marshal(v); err == nil {
		out["json"] = string(b)
	}
	if b, err := xml.Marshal(v); err == nil {
		out["xml"] = string(b)
	}
	if b, err := cbor.Marshal(v); err == nil {
		out["cbor"] = string(b)
	}
	var buf bytes.Buffer
	if gob.NewEncoder(&buf).Encode(v) == nil {
		out["gob"] = buf.String()
	}
	for name, h := range map[string]slog.Handler{"slog text": slog.NewTextHandler(&buf, nil), "slog json": slog.NewJSONHandler(&buf, nil)} {
		buf.Reset()
		slog.New(h).Info("m", "v", v, slog.Group("g", "v", v))
		out[name] = buf.String()
	}
	return out
}

type (
	exportedField[T any]  struct{ V T }
	hiddenField[T any]    struct{ v T }
	hiddenPointer[T any]  struct{ p *T }
	hiddenAny             struct{ a any }
	hiddenDeep[T any]     struct{ in []map[string]hiddenField[T] }
	embeddedHolder[T any] struct{ hiddenField[T] }
)

// shapes puts v where real code puts it: by itself, behind a pointer, and in fields that fmt only reaches by reflection.
func shapes[T any](v T) map[string]any {
	return map[string]any{
		"value": v, "pointer": &v, "slice": []T{v}, "array": [1]T{v}, "map": map[string]T{"k": v},
		"exported": exportedField[T]{v}, "hidden": hiddenField[T]{v}, "pointer to hidden": &hiddenField[T]{v},
		"hidden pointer": hiddenPointer[T]{&v}, "hidden any": hiddenAny{v}, "hidden any pointer": &hiddenAny{&v},
		"deep": hiddenDeep[T]{[]map[string]hiddenField[T]{{"k": {v}}}}, "embedded": &embeddedHolder[T]{hiddenField[T]{v}},
	}
}

// TestSearchFindsPlantedSecret shows that what TestNoSecretIsPrinted looks for would be found.
func TestSearchFindsPlantedSecret(t *testing.T) {
	secret := canary()
	found := make(map[string]bool)
	for _, planted := range []map[string]any{shapes(secret), shapes([32]byte(secret)), shapes(string(secret))} {
		for _, v := range planted {
			for how, text := range outputs(v) {
				if leaked(text, secret) != "" {
					found[how] = true
				}
			}
		}
	}
	for _, how := range []string{"%v", "%+v", "%#v", "%s", "%x", "%X", "% x", "%q", "%d", "%o", "%#x", "Errorf", "json", "cbor", "gob", "slog text", "slog json"} {
		if !found[how] {
			t.Errorf("a planted secret is not found in the output of %s", how)
		}
	}
	for shape, v := range shapes([32]byte(secret)) {
		if text := fmt.Sprintf("%v", v); leaked(text, secret) == "" && !strings.Contains(shape, "pointer") {
			t.Errorf("a planted secret is not found in shape %q: %s", shape, text)
		}
	}
}

// T25: no way of printing or encoding shows a secret, wherever it sits.
func TestNoSecretIsPrinted(t *testing.T) {
	secret := canary()
	k := testKeyring(t)
	k.Store = StoreKey{newSecret(secret)}
	id, _ := ParseRoundID(secret)
	k.Rounds = []RoundSecret{NewRoundSecret(id, secret)}
	k.SetPassphrase(secret)

	hpke, _ := k.Device.keys().hpke.Bytes()
	secrets := [][]byte{secret, k.Device.keys().sign.Seed(), hpke, k.Identity.key().D.Bytes(), k.Identity.key().Primes[0].Bytes(),
		x509.MarshalPKCS1PrivateKey(k.Identity.key())[500:]}
	words := []string{k.Identity.key().D.String()[20:60], fmt.Sprint(uint(k.Identity.key().D.Bits()[3])), fmt.Sprintf("%x", uint(k.Identity.key().D.Bits()[3]))}

	check := func(name string, all map[string]any) {
		for shape, v := range all {
			for how, text := range outputs(v) {
				if n := leaked(text, secrets...); n != "" {
					t.Errorf("%s as %s printed with %s shows %q", name, shape, how, n)
				}
				for _, w := range words {
					if strings.Contains(strings.ToLower(text), w) {
						t.Errorf("%s as %s printed with %s shows part of the private exponent", name, shape, how)
					}
				}
			}
		}
	}
	check("RoundID", shapes(id))
	check("LinkKey", shapes(LinkKey{newSecret(secret)}))
	check("ContentKey", shapes(ContentKey{newSecret(secret)}))
	check("StoreKey", shapes(k.Store))
	check("RoundSecret", shapes(k.Rounds[0]))
	check("Identity", shapes(*k.Identity))
	check("DeviceKey", shapes(*k.Device))
	check("Keyring", shapes(*k))
	for _, v := range []any{id, &id, k, *k.Device, k.Identity, &k.Rounds[0]} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			if got := fmt.Sprintf(verb, v); got != redacted {
				t.Errorf("%T with %s gives %q, want %q", v, verb, got, redacted)
			}
		}
	}
}

func TestZeroSecretIsNeverUsed(t *testing.T) {
	var id RoundID
	if !id.IsZero() || id.Equal(id) {
		t.Error("the zero round id passes for one")
	}
	defer func() {
		if recover() == nil {
			t.Error("keys were derived from no round id")
		}
	}()
	id.ContentKey()
}
