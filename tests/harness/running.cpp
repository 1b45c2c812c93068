#include "tests/harness/running.h"

#include "tests/harness/checked.h"

namespace millrace::harness {

std::unique_ptr<Engine> start_engine(Log& log, const Session& session, EngineOptions options) {
  options.service_id = std::string(kServiceId);
  options.schemas = session.schemas();
  return checked(Engine::start(log, options, EngineEvents{}));
}

}  // namespace millrace::harness
