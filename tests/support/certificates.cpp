#include "certificates.hpp"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdexcept>

namespace stratumproxy::test {
namespace {

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* what) const {
    Free(what);
  }
};

void require(bool good) {
  if (!good) throw std::runtime_error("OpenSSL makes no certificate");
}

template <class Write>
std::string pem_of(Write write) {
  const std::unique_ptr<BIO, freed_by<BIO_free>> out(BIO_new(BIO_s_mem()));
  require(out && write(out.get()) == 1);
  char* text = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

}  // namespace

certificate make_certificate(const certificate_request& wanted) {
  const std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>> key(EVP_EC_gen("P-256"));
  const std::unique_ptr<X509, freed_by<X509_free>> made(X509_new());
  require(key && made);
  static long serial = 0;
  const auto seconds = [](std::chrono::hours of) { return static_cast<long>(std::chrono::seconds(of).count()); };
  auto* const name = X509_get_subject_name(made.get());
  require(X509_set_version(made.get(), 2) == 1 && ASN1_INTEGER_set(X509_get_serialNumber(made.get()), ++serial) == 1 &&
          X509_gmtime_adj(X509_getm_notBefore(made.get()), seconds(wanted.from)) &&
          X509_gmtime_adj(X509_getm_notAfter(made.get()), seconds(wanted.until)) &&
          X509_set_pubkey(made.get(), key.get()) == 1 &&
          X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1, -1, 0) == 1 &&
          X509_set_issuer_name(made.get(), name) == 1);
  const std::unique_ptr<X509_EXTENSION, freed_by<X509_EXTENSION_free>> names(
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, wanted.names.c_str()));
  require(names && X509_add_ext(made.get(), names.get(), -1) == 1);
  require(X509_sign(made.get(), key.get(), EVP_sha256()) != 0);

  certificate out;
  out.chain = pem_of([&](BIO* to) { return PEM_write_bio_X509(to, made.get()); });
  out.key = pem_of([&](BIO* to) { return PEM_write_bio_PrivateKey(to, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  require(X509_digest(made.get(), EVP_sha256(), digest, &size) == 1);
  for (unsigned i = 0; i < size; ++i) {
    constexpr char digits[] = "0123456789abcdef";
    out.fingerprint.append({digits[digest[i] >> 4], digits[digest[i] & 15]});
  }
  return out;
}

}  // namespace stratumproxy::test
