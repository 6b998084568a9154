package digest

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
)

// Keys are the public keys that CloudTrail signs digests with. They are read-only and safe for concurrent use.
type Keys struct {
	byFingerprint map[string]*rsa.PublicKey
	others        []*rsa.PublicKey // whose fingerprint is not known
}

// ReadKeys reads a file of public keys: the answer of "aws cloudtrail list-public-keys" as JSON, which tells which key is
// which, or keys in PEM.
func ReadKeys(file string) (*Keys, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	keys, err := ParseKeys(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return keys, nil
}

// ParseKeys reads what ReadKeys finds in a file.
func ParseKeys(content []byte) (*Keys, error) {
	keys := &Keys{byFingerprint: map[string]*rsa.PublicKey{}}
	if strings.HasPrefix(strings.TrimSpace(string(content)), "{") {
		var list struct {
			PublicKeyList []struct {
				Fingerprint string
				Value       string // base64 of PKCS #1
			}
		}
		if err := json.Unmarshal(content, &list); err != nil {
			return nil, err
		}
		for i, k := range list.PublicKeyList {
			der, err := base64.StdEncoding.DecodeString(k.Value)
			if err != nil {
				return nil, fmt.Errorf("PublicKeyList[%d].Value: %w", i, err)
			}
			key, err := publicKey(der)
			if err != nil {
				return nil, fmt.Errorf("PublicKeyList[%d].Value: %w", i, err)
			}
			keys.byFingerprint[strings.ToLower(k.Fingerprint)] = key
		}
	}
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		key, err := publicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("PEM block %s: %w", block.Type, err)
		}
		keys.others = append(keys.others, key)
	}
	if len(keys.byFingerprint)+len(keys.others) == 0 {
		return nil, errors.New("no public key: want the answer of aws cloudtrail list-public-keys, or PEM")
	}
	return keys, nil
}

func publicKey(der []byte) (*rsa.PublicKey, error) {
	if key, err := x509.ParsePKCS1PublicKey(der); err == nil {
		return key, nil
	}
	any, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, err
	}
	key, ok := any.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("is a %T, want an RSA key", any)
	}
	return key, nil
}

// errNoKey says that the file lacks the digest's key. AWS changes its keys, so that this asks for a newer file and accuses
// nobody.
var errNoKey = errors.New("the key file lacks the digest's key; fetch the keys anew")

// verify checks the signature of a digest, in hexadecimal as the object's metadata has it.
func (k *Keys) verify(d *Digest, signature string) error {
	sig, err := hex.DecodeString(strings.TrimSpace(signature))
	if err != nil || len(sig) == 0 {
		return errors.New("the object's metadata has no signature")
	}
	previous := d.PreviousSignature
	if previous == "" {
		previous = "null"
	}
	signed := sha256.Sum256([]byte(d.end + "\n" + d.Bucket + "/" + d.Object + "\n" + d.sum.String() + "\n" + previous))
	candidates := k.others
	if key, ok := k.byFingerprint[strings.ToLower(d.Fingerprint)]; ok {
		candidates = []*rsa.PublicKey{key}
	}
	if len(candidates) == 0 {
		return errNoKey
	}
	for _, key := range candidates {
		if err = rsa.VerifyPKCS1v15(key, crypto.SHA256, signed[:], sig); err == nil {
			return nil
		}
	}
	return err
}
