#include "server/http/credentials.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <charconv>
#include <cstring>
#include <fstream>

#include "parser/error/mutex.h"
#include "parser/error/trim.h"
#include "planner/types/value.h"
#include "server/http/http_text.h"

namespace millrace::inline server {
namespace {

constexpr std::string_view kMethod = "$scrypt$";
constexpr std::uint64_t kCost = 1 << 14, kMostCost = 1 << 17;
constexpr std::uint64_t kBlock = 8, kParallel = 1;
constexpr std::size_t kSaltBytes = 16, kHashBytes = 32;
constexpr double kMostFailures = 10, kFailuresPerSecond = 0.5;
constexpr std::size_t kMostKnown = 10'000;

std::string derive(std::string_view password, std::string_view salt, std::uint64_t cost) {
  std::string hash(kHashBytes, '\0');
  constexpr std::uint64_t kMostMemory = 512 << 20;
  if (EVP_PBE_scrypt(password.data(), password.size(), reinterpret_cast<const unsigned char*>(salt.data()), salt.size(),
                     cost, kBlock, kParallel, kMostMemory, reinterpret_cast<unsigned char*>(hash.data()),
                     hash.size()) != 1)
    return {};
  return hash;
}

std::string digest(std::string_view secret, std::string_view text) {
  const std::string all = std::string(secret) + std::string(text);
  std::string out(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(all.data()), all.size(), reinterpret_cast<unsigned char*>(out.data()));
  return out;
}

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count));
  return bytes;
}

/// A hash that no password has, so that unknown names take as long as wrong passwords.
const std::string& nobody() {
  static const std::string hash = hash_password(random_bytes(kSaltBytes));
  return hash;
}

}  // namespace

std::string hash_password(std::string_view password) {
  const std::string salt = random_bytes(kSaltBytes);
  return fmt::format("{}{}${}${}", kMethod, kCost, base64_encode(salt), base64_encode(derive(password, salt, kCost)));
}

bool matches_password(std::string_view password, std::string_view hash) {
  if (!hash.starts_with(kMethod)) return false;
  hash.remove_prefix(kMethod.size());
  const std::size_t first = hash.find('$'), second = hash.find('$', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return false;
  std::uint64_t cost = 0;
  std::from_chars(hash.data(), hash.data() + first, cost);
  std::string salt, wanted;
  if (cost < 2 || cost > kMostCost || !base64_decode(hash.substr(first + 1, second - first - 1), salt) ||
      !base64_decode(hash.substr(second + 1), wanted) || wanted.size() != kHashBytes)
    return false;
  const std::string got = derive(password, salt, cost);
  return got.size() == wanted.size() && CRYPTO_memcmp(got.data(), wanted.data(), got.size()) == 0;
}

Result<std::unique_ptr<Credentials>> Credentials::read(const std::string& path) {
  std::ifstream file(path);
  if (!file) return user_error("cannot read the password file {}: {}", path, std::strerror(errno));
  auto out = std::make_unique<Credentials>();
  out->secret_ = random_bytes(kHashBytes);
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    std::string_view rest = trim(line);
    if (rest.empty() || rest.front() == '#') continue;
    const std::size_t colon = rest.find(':');
    if (colon == std::string_view::npos || colon == 0)
      return user_error("{}:{}: expected 'name: hash, role, ...'", path, number);
    const std::string name(trim(rest.substr(0, colon)));
    rest.remove_prefix(colon + 1);
    User user;
    for (std::size_t comma = 0; comma != std::string_view::npos; rest.remove_prefix(comma + 1)) {
      comma = rest.find(',');
      const std::string_view part = trim(rest.substr(0, comma));
      if (user.hash.empty())
        user.hash = part;
      else if (!part.empty())
        user.roles.emplace_back(part);
      if (comma == std::string_view::npos) break;
    }
    if (!user.hash.starts_with(kMethod))
      return user_error("{}:{}: the password of {} is not hashed; `millrace password` makes such lines", path, number,
                        name);
    out->users_[name] = std::move(user);
  }
  if (out->users_.empty()) return user_error("there is no user in the password file {}", path);
  (void)nobody();
  return out;
}

bool Credentials::may_try(const std::string& peer) {
  const auto now = Clock::now();
  if (failures_.size() > kMostKnown) failures_.clear();
  Failures& failures = failures_[peer];
  const std::chrono::duration<double> passed = now - failures.since;
  failures.count = std::max(0.0, failures.count - passed.count() * kFailuresPerSecond);
  failures.since = now;
  return failures.count < kMostFailures;
}

Credentials::Outcome Credentials::check(std::string_view header, const std::string& peer, Principal& out) {
  constexpr std::string_view kBasic = "basic ";
  std::string pair;
  const bool basic = header.size() > kBasic.size() &&
                     std::equal(kBasic.begin(), kBasic.end(), header.begin(),
                                [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); });
  if (!basic || !base64_decode(trim(header.substr(kBasic.size())), pair)) return Outcome::unknown;
  const std::string key = digest(secret_, pair);
  {
    const MutexLock lock(mutex_);
    if (const auto it = known_.find(key); it != known_.end()) {
      out = it->second;
      return Outcome::known;
    }
    if (!may_try(peer)) return Outcome::too_many;
  }
  const std::size_t colon = std::min(pair.find(':'), pair.size());
  const auto user = users_.find(std::string_view(pair).substr(0, colon));
  const std::string_view password = std::string_view(pair).substr(std::min(colon + 1, pair.size()));
  const bool right = matches_password(password, user == users_.end() ? nobody() : user->second.hash);
  const MutexLock lock(mutex_);
  if (!right || user == users_.end()) {
    failures_[peer].count += 1;
    return Outcome::unknown;
  }
  out = {user->first, user->second.roles};
  if (known_.size() >= kMostKnown) known_.clear();
  known_[key] = out;
  return Outcome::known;
}

}  // namespace millrace::inline server
