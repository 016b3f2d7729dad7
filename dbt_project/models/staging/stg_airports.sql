with

source as (

    select * from {{ source('raw', 'airports') }}

),

renamed as (

    select

        ----------  ids
        faa as airport_code,

        ---------- text
        name as airport_name,
        tzone as time_zone,

        ---------- numerics
        lat as latitude_degrees,
        lon as longitude_degrees,
        alt as altitude_feet,

        ---------- timestamps, with time zone
        _loaded_at as loaded_at

    from source

)

select * from renamed
