# The system OHOS, as the SDK's cmake has it: Linux, but libraries have no version and programs no search path.
include(Platform/Linux)
set(CMAKE_PLATFORM_NO_VERSIONED_SONAME 1)
set(CMAKE_SHARED_LIBRARY_RUNTIME_C_FLAG "")
