#include "cli/data_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

namespace millrace::inline cli {
namespace fs = std::filesystem;
namespace {

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  std::string text;
  std::getline(file, text);
  return text;
}

Status write_text(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::trunc);
  file << text << '\n';
  file.flush();
  if (!file) return user_error("cannot write {}: {}", path, std::strerror(errno));
  return {};
}

std::string random_id() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

}  // namespace

Result<std::unique_ptr<DataDirectory>> DataDirectory::open(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return user_error("cannot create the data directory {}: {}", path, error.message());
  fs::permissions(path, fs::perms::owner_all, error);
  std::unique_ptr<DataDirectory> directory(new DataDirectory());
  directory->path_ = path;
  const std::string lock = path + "/lock";
  directory->lock_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (directory->lock_ < 0) return user_error("cannot write to the data directory {}: {}", path, std::strerror(errno));
  if (::flock(directory->lock_, LOCK_EX | LOCK_NB) != 0)
    return user_error("the data directory {} is in use by process {}; give another one with --data", path,
                      read_text(lock));
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(directory->lock_, 0) != 0 ||
      ::pwrite(directory->lock_, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size()))
    return user_error("cannot write to the data directory {}: {}", path, std::strerror(errno));
  const std::string id_file = path + "/process_id";
  directory->process_id_ = read_text(id_file);
  if (directory->process_id_.empty()) {
    directory->process_id_ = random_id();
    if (Status written = write_text(id_file, directory->process_id_); !written) return written.error();
  }
  return directory;
}

Result<std::unique_ptr<DataDirectory>> DataDirectory::temporary() {
  std::string pattern = (fs::temp_directory_path() / "millrace-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr)
    return user_error("cannot create a directory under {}: {}", fs::temp_directory_path().string(),
                      std::strerror(errno));
  auto directory = open(pattern);
  if (directory) (*directory)->remove_ = true;
  return directory;
}

DataDirectory::~DataDirectory() {
  if (lock_ >= 0) ::close(lock_);
  if (!remove_) return;
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace millrace::inline cli
